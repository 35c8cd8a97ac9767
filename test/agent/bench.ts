import { defaultSettings, type Limits } from '../../agent/limits.ts';
import type { WorkerPools } from '../../agent/session-slots.ts';
import type { AgentSettings } from '../../crds/agent-settings.ts';
import type { Budget } from '../../tunnel/flow/budget.ts';
import type { AgentSession } from '../../tunnel/session/agent-session.ts';
import type { ExchangeEnd } from '../../upstream/exchange-options.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import { GatewayEnd, type Owner } from '../conformance/harness.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { type TransportPair, transportPair } from '../support/transport-pair.ts';
import { until } from '../support/turns.ts';
import { Serving } from './serving.ts';

export interface BenchOptions {
  readonly url: string;
  readonly ca: string;
  readonly settings?: AgentSettings;
  readonly token?: () => Promise<string>;
}

/** The agent's serving half with a real upstream, joined in memory to a gateway session that a test drives. */
export class Bench {
  readonly clock = new ManualClock();
  readonly pair: TransportPair = transportPair();
  readonly gateway: GatewayEnd;
  readonly session: AgentSession;
  readonly #serving: Serving;

  constructor({ url, ca, settings = defaultSettings(), token }: BenchOptions) {
    this.#serving = new Serving({ url, ca, settings, token, clock: this.clock });
    // No gateway sends CONFIG here.
    this.#serving.limits.apply(settings);
    this.gateway = new GatewayEnd(this.pair.left);
    const { server } = this.#serving;
    const deaf = { onReady: () => {}, onLeaving: () => {}, onEnd: () => {} };
    this.session = server.open(this.pair.right, { connection: 0, previous: undefined }, deaf);
  }

  get budget(): Budget {
    return this.#serving.budget;
  }

  get pools(): WorkerPools {
    return this.#serving.pools;
  }

  get limits(): Limits {
    return this.#serving.limits;
  }

  get upstream(): Upstream {
    return this.#serving.upstream;
  }

  get ends(): readonly ExchangeEnd[] {
    return this.#serving.ends;
  }

  /** As the health check sees it: when the API server last answered a request well. */
  get lastAnswerMs(): number | undefined {
    return this.#serving.server.lastAnswerMs;
  }

  /** Answers 401 that were heard. */
  get unauthorized(): number {
    return this.#serving.unauthorized;
  }

  /** Requests at the upstream or queued here. */
  get busy(): number {
    return this.#serving.busy;
  }

  /** Greets; requests may follow. */
  async ready(): Promise<this> {
    this.session.greet();
    await until(() => this.gateway.readies.length > 0);
    return this;
  }

  /** Moves the time of both ends on in small steps, so that heartbeats are answered in between. */
  async later(byMs: number): Promise<void> {
    for (let leftMs = byMs; leftMs > 0; leftMs -= 1_000) {
      for (const clock of [this.clock, this.gateway.clock]) clock.advance(Math.min(leftMs, 1_000));
      await this.pair.settle();
    }
  }

  async close(): Promise<void> {
    this.pair.drop();
    await until(() => this.busy === 0);
    await this.upstream.close();
  }
}

/** Resolves when a stream's owner has heard its last. */
export function over(owner: Owner): Promise<void> {
  return until(() => owner.closes > 0);
}

/** Writes a body under credit, and its end. */
export async function pump(owner: Owner, body: Uint8Array): Promise<void> {
  for (let at = 0; at < body.length; at += 48 * 1024) {
    if (owner.stream.write(body.subarray(at, at + 48 * 1024))) continue;
    const { drains } = owner;
    await until(() => owner.drains > drains);
  }
  owner.stream.end();
}
