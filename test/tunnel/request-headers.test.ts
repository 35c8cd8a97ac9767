import { expect } from 'chai';
import fc from 'fast-check';
import {
  crossing,
  headerOf,
  headerTrouble,
  isReserved,
  MAX_HEADERS_BYTES,
  nominated,
} from '../../tunnel/request-headers.ts';

const IDENTITY = [
  'impersonate-user',
  'impersonate-group',
  'impersonate-uid',
  'impersonate-extra-scopes',
  'impersonate-something-new',
  'x-remote-user',
  'x-remote-group',
  'x-remote-uid',
  'x-remote-extra-scopes',
  'authorization',
  'cookie',
  'x-forwarded-for',
  'x-forwarded-user',
  'forwarded',
  'x-clustertunnel-user',
];
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'proxy-authenticate',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
];
const cases = (name: string) => [
  name,
  name.toUpperCase(),
  name.replace(/(^|-)[a-z]/g, (text) => text.toUpperCase()),
  name.replaceAll('-', '_'),
  name.toUpperCase().replaceAll('-', '_'),
];

describe('tunnel/request-headers', () => {
  describe('crossing', () => {
    for (const name of [...IDENTITY, ...HOP_BY_HOP]) {
      it(`drops ${name} however it is written`, () => {
        for (const written of cases(name)) {
          expect(crossing([written, 'x', 'Accept', 'y']), written).to.deep.equal(['Accept', 'y']);
        }
      });
    }

    it('keeps order, case, repetition and empty values', () => {
      const headers = ['Accept', 'a', 'X-Empty', '', 'accept', 'b', 'ACCEPT', 'a'];
      expect(crossing(headers)).to.deep.equal(headers);
    });

    it('drops what Connection nominates, in any case, over several lines', () => {
      const headers = [
        'Connection',
        'close, X-One',
        'x-one',
        '1',
        'X-TWO',
        '2',
        'CONNECTION',
        ' x-two ,,',
        'X-Three',
        '3',
      ];
      expect(crossing(headers)).to.deep.equal(['X-Three', '3']);
    });

    it('drops what Proxy-Connection nominates', () => {
      expect(crossing(['Proxy-Connection', 'X-One', 'X-One', '1'])).to.deep.equal([]);
    });

    it('drops names that are no field names', () => {
      expect(
        crossing([':path', '/', 'a b', '1', 'x_y', '2', '', '3', 'a:b', '4', '\xe4', '5', 'a\r\nb', '6']),
      ).to.deep.equal([]);
    });

    const PROTOCOLS: readonly [string, string | undefined][] = [
      ['v4.channel.k8s.io', 'v4.channel.k8s.io'],
      ['v5.channel.k8s.io,v4.channel.k8s.io', 'v5.channel.k8s.io,v4.channel.k8s.io'],
      ['base64url.bearer.authorization.k8s.io.c2VjcmV0', undefined],
      ['base64url.bearer.authorization.k8s.io.c2VjcmV0, v4.channel.k8s.io', 'v4.channel.k8s.io'],
      ['v4.channel.k8s.io,  Base64URL.Bearer.Authorization.k8s.io.c2VjcmV0 ,b', 'v4.channel.k8s.io, b'],
      ['base64url.bearer.authorization.k8s.io.', undefined],
    ];
    for (const [value, kept] of PROTOCOLS) {
      it(`lets of Sec-WebSocket-Protocol "${value}" only "${kept ?? ''}" pass`, () => {
        for (const name of ['Sec-WebSocket-Protocol', 'sec-websocket-protocol', 'SEC-WEBSOCKET-PROTOCOL']) {
          expect(crossing([name, value])).to.deep.equal(kept === undefined ? [] : [name, kept]);
        }
      });
    }

    const name = fc.oneof(
      fc.constantFrom(...IDENTITY.flatMap(cases), ...HOP_BY_HOP, 'Accept', 'X-Mine', 'sec-websocket-protocol'),
      fc.string({ maxLength: 8 }),
    );
    const value = fc.oneof(
      fc.string({ maxLength: 12 }),
      fc
        .array(fc.constantFrom('close', ...IDENTITY.flatMap(cases), 'accept', ' '), { maxLength: 4 })
        .map((all) => all.join(',')),
      fc.constant('base64url.bearer.authorization.k8s.io.x,y'),
    );
    const lines = fc.array(fc.tuple(name, value), { maxLength: 12 });

    it('property: whatever Connection says, no identity header survives', () => {
      fc.assert(
        fc.property(lines, (all) => {
          const kept = crossing(all.flat());
          for (let at = 0; at < kept.length; at += 2) {
            const lower = kept[at]?.toLowerCase() ?? '';
            expect(IDENTITY).to.not.include(lower.replaceAll('_', '-'));
            expect(HOP_BY_HOP).to.not.include(lower);
            if (lower === 'sec-websocket-protocol') expect(kept[at + 1]).to.not.match(/base64url\.bearer/i);
          }
        }),
      );
    });

    it('property: what was added after crossing is all there, and alone', () => {
      fc.assert(
        fc.property(lines, (all) => {
          const sent = [...crossing(all.flat()), 'Impersonate-User', 'alice', 'Impersonate-Group', 'dev'];
          const identity = sent.filter((_, at) => isReserved(sent[at - (at % 2)]?.toLowerCase() ?? ''));
          expect(identity).to.deep.equal(['Impersonate-User', 'alice', 'Impersonate-Group', 'dev']);
        }),
      );
    });

    it('property: crossing again changes nothing, so the agent can tell what the gateway left', () => {
      fc.assert(
        fc.property(lines, (all) => {
          const once = crossing(all.flat());
          expect(crossing(once)).to.deep.equal(once);
        }),
      );
    });
  });

  describe('headerTrouble', () => {
    const REFUSED: readonly [string, string[], number][] = [
      ['two Host', ['Host', 'a', 'host', 'a'], 400],
      ['two Authorization', ['Authorization', 'a', 'AUTHORIZATION', 'b'], 400],
      ['two Content-Length', ['Content-Length', '1', 'content-length', '1'], 400],
      ['two Content-Type', ['Content-Type', 'a', 'content-type', 'b'], 400],
      ['two Transfer-Encoding', ['Transfer-Encoding', 'chunked', 'transfer-encoding', 'chunked'], 400],
      ['Content-Length beside Transfer-Encoding', ['Content-Length', '1', 'Transfer-Encoding', 'chunked'], 400],
      ['a Content-Length with a sign', ['Content-Length', '+1'], 400],
      ['a Content-Length that is a list', ['Content-Length', '1, 1'], 400],
      ['an empty Content-Length', ['Content-Length', ''], 400],
      ['a carriage return', ['X-A', 'b\rc'], 400],
      ['a line feed', ['X-A', 'b\nc'], 400],
      ['a NUL', ['X-A', 'b\0'], 400],
      ['DEL', ['X-A', 'b\x7f'], 400],
      ['a character that is no byte', ['X-A', '\u0100'], 400],
      ...['Impersonate-User', 'X-Remote-User', 'authorization', 'Host', 'x-forwarded-for', 'cookie'].map(
        (name): [string, string[], number] => [`Connection naming ${name}`, ['Connection', `close, ${name}`], 400],
      ),
      ['Proxy-Connection naming Impersonate-Group', ['Proxy-Connection', 'impersonate-group'], 400],
      ['a second Connection naming Authorization', ['Connection', 'close', 'connection', 'AUTHORIZATION'], 400],
      ['201 lines', Array(402).fill('a'), 431],
      ['more than 64 KiB', ['X-A', 'a'.repeat(MAX_HEADERS_BYTES)], 431],
    ];
    for (const [what, headers, status] of REFUSED) {
      it(`answers ${status} to ${what}`, () => {
        expect(headerTrouble(headers)?.status).to.equal(status);
        expect(headerTrouble(headers)?.message)
          .to.be.a('string')
          .that.does.not.match(/[\r\n\0]/);
      });
    }

    it('names no more of a header than a person reads', () => {
      expect(headerTrouble(['x'.repeat(1_000), '\0'])?.message).to.have.length.below(150);
    });

    const PASSED: readonly [string, string[]][] = [
      ['no header', []],
      ['200 lines', Array(400).fill('a')],
      ['just 64 KiB', ['X-A', 'a'.repeat(MAX_HEADERS_BYTES - 7)]],
      ['bytes beyond ASCII and tabs', ['X-A', 'caf\xe9\tb']],
      ['pseudo headers', [':method', 'GET', ':path', '/', ':authority', 'g', 'host', 'g']],
      ['repeated Accept', ['Accept', 'a', 'Accept', 'b']],
      ['Connection: close, te', ['Connection', 'close, te']],
      ['Content-Length: 0', ['Content-Length', '0']],
    ];
    for (const [what, headers] of PASSED) {
      it(`lets ${what} pass`, () => {
        expect(headerTrouble(headers)).to.equal(undefined);
      });
    }
  });

  it('finds the first header of a name, whatever its case', () => {
    expect(headerOf(['A', '1', 'b', '2', 'B', '3'], 'b')).to.equal('2');
    expect(headerOf(['A', 'b'], 'b')).to.equal(undefined);
  });

  it('reads nominations as lower-case tokens', () => {
    expect([...nominated(['Connection', 'A, b ,C', 'Accept', 'd'])]).to.deep.equal(['a', 'b', 'c']);
  });
});
