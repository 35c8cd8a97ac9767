import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { Duplex } from 'node:stream';
import { expect } from 'chai';
import { refuseUpgrade } from '../../../../operator/gateway/front/refuse-upgrade.ts';
import { TunnelError } from '../../../../operator/gateway/front/tunnel-error.ts';
import { takeWithinMs } from '../../../../operator/gateway/front/untaken.ts';
import { GatewayFixture } from '../../../support/gateway-fixture.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { until } from '../../../support/turns.ts';

/** Joined tests: a machine that is busy elsewhere must not fail them. */
const BUSY_MACHINE_MS = 15_000;

describe('operator/gateway/front/untaken', function () {
  this.timeout(BUSY_MACHINE_MS);

  it('waits a minute, and longer for more', () => {
    expect(takeWithinMs(0)).to.equal(60_000);
    expect(takeWithinMs(4 * 1024 * 1024)).to.equal(60_000 + 256_000);
  });

  describe('a client whose window stays shut', () => {
    let fixture: GatewayFixture;
    let session: ClientHttp2Session;
    beforeEach(async () => {
      fixture = await GatewayFixture.start();
      session = connect(fixture.url, { ca: fixture.ca, settings: { initialWindowSize: 0 } });
      session.on('error', () => {});
    });
    afterEach(async () => {
      session.destroy();
      await fixture.stop();
    });

    async function asked(path: string, token = 'alice'): Promise<ClientHttp2Stream> {
      const stream = session.request({ ':path': path, ...(token === '' ? {} : { authorization: `Bearer ${token}` }) });
      stream.on('error', () => {});
      await once(stream, 'response');
      return stream;
    }

    async function isCut(stream: ClientHttp2Stream): Promise<void> {
      expect(fixture.counts.requests).to.equal(1);
      await fixture.pass(65_000);
      await until(() => stream.closed && fixture.isQuiet);
    }

    it('does not hold the answer of a target for ever', async () => {
      const agent = await fixture.agent({ serve: (served) => served.answer(200, [], 'x'.repeat(10_000)) });
      const stream = await asked('/clusters/c1/api');
      await until(() => agent.served[0]?.isClosed === true);
      await isCut(stream);
    });

    it('does not hold a watch that ended with its session', async () => {
      const agent = await fixture.agent();
      const opened = asked('/clusters/c1/api/v1/pods?watch=1');
      const served = await agent.request();
      served.stream.sendHead({ status: 200, headers: [] });
      served.stream.write(Buffer.from('{}\n'));
      const stream = await opened;
      await until(() => fixture.counts.streams === 1);
      agent.cut();
      await until(() => fixture.counts.sessions === 0);
      await isCut(stream);
    });

    it('does not hold the list of tunnels', async () => isCut(await asked('/clusters')));

    it('does not hold a refusal: that needs no credential', async () => isCut(await asked('/clusters/c1/api', '')));
  });

  it('cuts a client that does not take why it may not upgrade', () => {
    const clock = new ManualClock();
    const socket = new Duplex({ read: () => {}, write: () => {} });
    refuseUpgrade(socket, new TunnelError('bad_request', 'no'), { clock });
    clock.advance(59_999);
    expect(socket.destroyed).to.equal(false);
    clock.advance(5_000);
    expect(socket.destroyed).to.equal(true);
  });

  it('leaves no timer behind of a client that took why it may not upgrade', async () => {
    const clock = new ManualClock();
    const socket = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
    refuseUpgrade(socket, new TunnelError('bad_request', 'no'), { clock });
    await once(socket, 'close');
    expect(clock.pending).to.equal(0);
  });
});
