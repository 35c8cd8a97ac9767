import { once } from 'node:events';
import { expect } from 'chai';
import { Dialer } from '../../agent/dialer.ts';
import { silentLogger } from '../../process/log.ts';
import { websocketTransport } from '../../tunnel/session/websocket.ts';
import { Serving } from '../agent/serving.ts';
import { type Ask, GatewayFixture, PROTOCOLS, SETTINGS, whole } from '../support/gateway-fixture.ts';
import { RecordingUpstream } from '../support/recording-upstream.ts';
import { Relay } from '../support/relay.ts';
import { until } from '../support/turns.ts';

const PODS = '/clusters/c1/api/v1/namespaces/default/pods';
const BODY = JSON.stringify({ kind: 'Pod' });

/** Client → gateway → a way that breaks → agent, who dials again → API server; the clock stands still. */
class BrokenPath {
  readonly upstream: RecordingUpstream;
  readonly gateway: GatewayFixture;
  readonly relay: Relay;
  readonly agent: Serving;
  readonly dialer: Dialer;

  private constructor(upstream: RecordingUpstream, gateway: GatewayFixture, relay: Relay) {
    const { clock } = gateway;
    this.upstream = upstream;
    this.gateway = gateway;
    this.relay = relay;
    this.agent = new Serving({ url: upstream.url, ca: upstream.ca, settings: SETTINGS, clock });
    const token = gateway.mint();
    this.dialer = new Dialer({
      connect: async () => {
        const socket = gateway.dial({ token, url: relay.url });
        await once(socket, 'open');
        return websocketTransport(socket);
      },
      open: (transport, introduction, events) => this.agent.server.open(transport, introduction, events),
      hasNewCredential: async () => false,
      backoff: () => ({ minMs: 1_000, maxMs: 1_000 }),
      clock,
      random: () => 0.5,
      log: silentLogger,
      onReady: () => {},
      onDialed: () => {},
    });
  }

  static async start(): Promise<BrokenPath> {
    const [upstream, gateway] = await Promise.all([RecordingUpstream.start(), GatewayFixture.start()]);
    const path = new BrokenPath(upstream, gateway, await Relay.open(gateway.url));
    path.dialer.start();
    await until(() => path.#isAtRest);
    return path;
  }

  /** Both greetings and what follows them have arrived: nothing is under way. */
  get #isAtRest(): boolean {
    const ends = [this.dialer.ready, this.gateway.gateway.facts('c1').links[0]?.session];
    const haveBeats = ends.every((end) => end?.session.vitals.rttMs !== undefined);
    return haveBeats && this.agent.limits.current.generation === SETTINGS.generation;
  }

  /** The connection breaks, both ends notice. */
  async break(): Promise<void> {
    await this.relay.cut();
    await until(() => this.gateway.counts.sessions === 0 && this.dialer.state === 'backoff');
  }

  /** The agent finds its way back. */
  async mend(): Promise<void> {
    await this.relay.mend();
    this.gateway.clock.advance(1_000);
    await until(() => this.dialer.ready !== undefined);
  }

  async stop(): Promise<void> {
    try {
      await until(() => this.gateway.isQuiet && this.agent.busy === 0);
      expect(this.agent.budget.usedBytes, "the agent's buffers").to.equal(0);
    } finally {
      await this.dialer.stop(AbortSignal.abort());
      await this.relay.cut();
      await this.gateway.stop();
      await this.agent.upstream.close();
      await this.upstream.close();
    }
  }
}

for (const protocol of PROTOCOLS) {
  describe(`tunnel-path/lost-session over ${protocol}`, function () {
    this.timeout(60_000);
    let path: BrokenPath;
    beforeEach(async () => {
      path = await BrokenPath.start();
      path.upstream.answer = (_, response) => response.writeHead(201).end('made');
    });
    afterEach(() => path.stop());

    const ask = (rest: Partial<Ask> = {}) =>
      whole(path.gateway.client(protocol), { method: 'POST', path: PODS, ...rest });

    /** A request that is on its way to the agent when the connection breaks, and never gets there. */
    async function unseen(rest: Partial<Ask> = {}) {
      path.relay.hold();
      const answer = ask(rest);
      await until(() => path.relay.heldBytes > 0);
      await path.break();
      expect(path.gateway.counts).to.include({ unsettled: 1 });
      return answer;
    }

    it('makes once, over the next session, what the agent never saw', async () => {
      const answer = unseen();
      await until(() => path.gateway.counts.unsettled === 1);
      await path.mend();
      expect(await answer).to.include({ status: 201, text: 'made' });
      expect(path.upstream.received.map(({ method }) => method)).to.deep.equal(['POST']);
    });

    it('makes nothing of what the agent never saw and whose body is gone, and says that it may be sent again', async () => {
      const answer = unseen({ body: BODY });
      await until(() => path.gateway.counts.unsettled === 1);
      await path.mend();
      const { status, headers, text } = await answer;
      expect([status, headers['retry-after']]).to.deep.equal([503, '1']);
      expect(JSON.parse(text).details.causes[0]).to.include({ reason: 'not_executed' });
      expect(path.upstream.received).to.have.length(0);
      const again = await ask({ body: BODY });
      expect([again.status, path.upstream.received.length]).to.deep.equal([201, 1]);
    });

    for (const body of [undefined, BODY]) {
      it(`makes once what the agent saw, and says that it may have run: body ${body}`, async () => {
        path.upstream.answer = () => {};
        const answer = ask(body === undefined ? {} : { body });
        await until(() => path.upstream.received.length === 1);
        await path.break();
        await path.mend();
        const { status, headers, text } = await answer;
        expect([status, headers['retry-after']]).to.deep.equal([504, undefined]);
        expect(JSON.parse(text).message).to.contain('may have been executed');
        expect(path.upstream.received).to.have.length(1);
        await until(() => path.upstream.last.isAborted);
      });
    }

    it('tells them apart when both are lost at once', async () => {
      path.upstream.answer = () => {};
      const seen = ask();
      await until(() => path.upstream.received.length === 1);
      path.upstream.answer = (_, response) => response.writeHead(201).end('made');
      path.relay.hold();
      const later = Promise.all([ask(), ask(), ask({ method: 'DELETE' })]);
      await until(() => path.gateway.counts.streams === 4 && path.relay.heldBytes > 0);
      await path.break();
      await path.mend();
      expect((await seen).status).to.equal(504);
      expect((await later).map(({ status }) => status)).to.deep.equal([201, 201, 201]);
      expect(path.upstream.received.map(({ method }) => method)).to.have.members(['POST', 'POST', 'POST', 'DELETE']);
    });
  });
}
