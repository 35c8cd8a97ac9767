import { once } from 'node:events';
import { expect } from 'chai';
import { Dialer, type DialerOptions } from '../../agent/dialer.ts';
import type { AdmissionSettings } from '../../crds/admission-settings.ts';
import type { AgentSettings } from '../../crds/agent-settings.ts';
import type { CacheSettings } from '../../crds/cache.ts';
import { silentLogger } from '../../process/log.ts';
import type { Transport } from '../../tunnel/session/transport.ts';
import { websocketTransport } from '../../tunnel/session/websocket.ts';
import { Serving, type ServingOptions } from '../agent/serving.ts';
import { type FixtureOptions, GatewayFixture, SETTINGS } from '../support/gateway-fixture.ts';
import { RecordingUpstream } from '../support/recording-upstream.ts';
import { Relay } from '../support/relay.ts';
import { until } from '../support/turns.ts';

/** Of the gateway. */
type Passed = 'log' | 'failedLoginsPerSecond' | 'userRate' | 'maxBufferBytes' | 'meter' | 'onRefused';

export interface BrokenPathOptions extends Pick<FixtureOptions, Passed>, Pick<ServingOptions, 'onExchangeEnd'> {
  /** Of the tunnel, at both ends. */
  readonly settings?: AgentSettings;
  /** Of the tunnel, at the gateway. */
  readonly admission?: AdmissionSettings;
  /** Where the agent looks for its API server; where it is, unless told. */
  readonly upstreamUrl?: string;
  /** Of the tunnel, at the gateway; none unless told. */
  readonly cache?: CacheSettings;
  /** The agent's end of a connection to the gateway, in its place. */
  readonly tap?: (transport: Transport) => Transport;
  readonly onDialed?: DialerOptions['onDialed'];
}

/** Client → gateway → a way that breaks → agent, who dials again → API server; the clock stands still. */
export class BrokenPath {
  readonly upstream: RecordingUpstream;
  readonly gateway: GatewayFixture;
  readonly relay: Relay;
  readonly agent: Serving;
  readonly dialer: Dialer;

  private constructor(upstream: RecordingUpstream, gateway: GatewayFixture, relay: Relay, options: BrokenPathOptions) {
    const { clock } = gateway;
    const { settings = SETTINGS, upstreamUrl: url = upstream.url, onExchangeEnd } = options;
    const { tap = (transport) => transport, onDialed = () => {} } = options;
    this.upstream = upstream;
    this.gateway = gateway;
    this.relay = relay;
    this.agent = new Serving({ url, ca: upstream.ca, settings, clock, onExchangeEnd });
    const token = gateway.mint();
    this.dialer = new Dialer({
      connect: async () => {
        const socket = gateway.dial({ token, url: relay.url });
        await once(socket, 'open');
        return tap(websocketTransport(socket));
      },
      open: (transport, introduction, events) => this.agent.server.open(transport, introduction, events),
      hasNewCredential: async () => false,
      backoff: () => ({ minMs: 1_000, maxMs: 1_000 }),
      clock,
      random: () => 0.5,
      log: silentLogger,
      onReady: () => {},
      onDialed,
    });
  }

  static async start(options: BrokenPathOptions = {}): Promise<BrokenPath> {
    const [upstream, gateway] = await Promise.all([RecordingUpstream.start(), GatewayFixture.start(options)]);
    const { settings = SETTINGS, admission, cache } = options;
    const said = Object.entries({ admission, cache }).filter(([, value]) => value !== undefined);
    gateway.addTunnel('c1', { settings, ...Object.fromEntries(said) });
    const path = new BrokenPath(upstream, gateway, await Relay.open(gateway.url), options);
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
