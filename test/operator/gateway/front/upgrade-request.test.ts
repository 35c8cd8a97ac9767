import { expect } from 'chai';
import { TunnelError } from '../../../../operator/gateway/front/tunnel-error.ts';
import { switchesTo, upgradeProtocol } from '../../../../operator/gateway/front/upgrade-request.ts';

const ask = (headers: readonly string[], { method = 'GET', httpVersion = '1.1' } = {}) =>
  upgradeProtocol({ method, httpVersion, headers });

describe('operator/gateway/front/upgrade-request', () => {
  const ASKED: readonly [string, string][] = [
    ['websocket', 'websocket'],
    ['WebSocket', 'websocket'],
    [' websocket\t', 'websocket'],
    ['SPDY/3.1', 'SPDY/3.1'],
    ['spdy/3.1', 'SPDY/3.1'],
  ];
  for (const [said, protocol] of ASKED) {
    it(`reads ${JSON.stringify(said)} as ${protocol}`, () => {
      expect(ask(['UPGRADE', said])).to.equal(protocol);
      expect(ask(['Upgrade', said, 'Content-Length', '0'], { method: 'POST' })).to.equal(protocol);
    });
  }

  const REFUSED: readonly [string, readonly string[], object, string][] = [
    ['another protocol', ['Upgrade', 'h2c'], {}, 'one of websocket, SPDY/3.1'],
    ['a list', ['Upgrade', 'websocket, SPDY/3.1'], {}, 'in one Upgrade header'],
    ['two lines', ['Upgrade', 'websocket', 'upgrade', 'websocket'], {}, 'in one Upgrade header'],
    ['no line', [], {}, 'in one Upgrade header'],
    ['HTTP/1.0', ['Upgrade', 'websocket'], { httpVersion: '1.0' }, 'HTTP/1.1'],
    ['PUT', ['Upgrade', 'websocket'], { method: 'PUT' }, 'not PUT'],
    ['HEAD', ['Upgrade', 'websocket'], { method: 'HEAD' }, 'not HEAD'],
    ['a length', ['Upgrade', 'websocket', 'Content-Length', '1'], {}, 'no body'],
    ['a length that is no number', ['Upgrade', 'websocket', 'Content-Length', 'x'], {}, 'no body'],
    ['chunks', ['Upgrade', 'websocket', 'Transfer-Encoding', 'chunked'], {}, 'no body'],
  ];
  for (const [what, headers, line, sentence] of REFUSED) {
    it(`refuses ${what}`, () => {
      const refused = ask(headers, line);
      expect(refused).to.be.instanceOf(TunnelError).and.include({ kind: 'bad_request', retryable: true });
      expect((refused as TunnelError).message).to.contain(sentence);
    });
  }

  it('takes an answer for a switch only if it says once, and only, what was asked for', () => {
    expect(switchesTo(['X-A', 'b', 'upgrade', 'WebSocket'], 'websocket')).to.equal(true);
    expect(switchesTo(['Upgrade', 'spdy/3.1'], 'SPDY/3.1')).to.equal(true);
    expect(switchesTo(['Upgrade', 'SPDY/3.1'], 'websocket')).to.equal(false);
    expect(switchesTo(['Upgrade', 'websocket', 'Upgrade', 'websocket'], 'websocket')).to.equal(false);
    expect(switchesTo(['Upgrade', 'websocket, h2c'], 'websocket')).to.equal(false);
    expect(switchesTo([], 'websocket')).to.equal(false);
  });
});
