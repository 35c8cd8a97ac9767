import type { ExchangeEnd } from '../../agent/forward.ts';
import { defaultSettings, Limits } from '../../agent/limits.ts';
import { Server } from '../../agent/serve.ts';
import type { WorkerPools } from '../../agent/session-slots.ts';
import { Upstream } from '../../agent/upstream.ts';
import { WorkerPool } from '../../agent/worker-pool.ts';
import type { AgentSettings } from '../../crds/agent-settings.ts';
import { silentLogger } from '../../process/log.ts';
import { Budget } from '../../tunnel/flow/budget.ts';
import type { AgentSession } from '../../tunnel/session/agent-session.ts';
import { GatewayEnd, type Owner } from '../conformance/harness.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { type TransportPair, transportPair } from '../support/transport-pair.ts';
import { until } from '../support/turns.ts';

const MEBIBYTE = 2 ** 20;

export interface BenchOptions {
  readonly url: string;
  readonly ca: string;
  readonly settings?: AgentSettings;
  readonly token?: () => Promise<string>;
}

/** The agent's serving half with a real upstream, joined in memory to a gateway session that a test drives. */
export class Bench {
  readonly clock = new ManualClock();
  readonly budget = new Budget(32 * MEBIBYTE);
  readonly pools: WorkerPools;
  readonly limits: Limits;
  readonly upstream: Upstream;
  readonly server: Server;
  readonly pair: TransportPair = transportPair();
  readonly gateway: GatewayEnd;
  readonly session: AgentSession;
  readonly ends: ExchangeEnd[] = [];
  unauthorized = 0;

  constructor({ url, ca, settings = defaultSettings(), token = async () => 'agent-token' }: BenchOptions) {
    const { clock, budget } = this;
    this.limits = new Limits(settings, () => {});
    this.pools = {
      ordinary: new WorkerPool({ limit: settings.limits.maxConcurrentRequests, queueLimit: 4 }),
      longRunning: new WorkerPool({ limit: 8, queueLimit: 4 }),
    };
    this.upstream = new Upstream({ url, ca, connectMs: 10_000 });
    this.server = new Server({
      context: {
        upstream: this.upstream,
        token,
        onUnauthorized: () => {
          this.unauthorized += 1;
        },
        clock,
        timeouts: () => this.limits.current.timeouts,
      },
      pools: this.pools,
      limits: this.limits,
      budget,
      clock,
      random: () => 0.5,
      log: silentLogger,
      instanceId: 'instance',
      onExchangeEnd: (end) => this.ends.push(end),
    });
    this.gateway = new GatewayEnd(this.pair.left);
    this.session = this.server.open(this.pair.right, { onReady: () => {}, onLeaving: () => {}, onEnd: () => {} });
  }

  /** Greets; requests may follow. */
  async ready(): Promise<this> {
    this.session.greet();
    await until(() => this.gateway.readies.length > 0);
    return this;
  }

  /** Requests at the upstream or queued here. */
  get busy(): number {
    const { ordinary, longRunning } = this.pools;
    return ordinary.running + ordinary.queued + longRunning.running + longRunning.queued;
  }

  /** Moves the agent's time on in small steps, so that heartbeats are answered in between. */
  async later(byMs: number): Promise<void> {
    for (let leftMs = byMs; leftMs > 0; leftMs -= 1_000) {
      this.clock.advance(Math.min(leftMs, 1_000));
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
