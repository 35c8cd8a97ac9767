import type { DeflatedBytes } from '../../agent/deflation.ts';
import { Limits } from '../../agent/limits.ts';
import { bringSettings } from '../../agent/live-settings.ts';
import { Server, type ServerOptions } from '../../agent/serve.ts';
import type { WorkerPools } from '../../agent/session-slots.ts';
import { WorkerPool } from '../../agent/worker-pool.ts';
import type { AgentSettings } from '../../crds/agent-settings.ts';
import { type Logger, silentLogger } from '../../process/log.ts';
import { Budget } from '../../tunnel/flow/budget.ts';
import type { AgentSession } from '../../tunnel/session/agent-session.ts';
import type { ExchangeEnd } from '../../upstream/exchange-options.ts';
import { Upstream } from '../../upstream/upstream.ts';
import type { ManualClock } from '../support/manual-clock.ts';

const MEBIBYTE = 2 ** 20;
/** Until the gateway says otherwise: a test of timeouts.connect would wait in vain. */
const UNTOLD_CONNECT_MS = 3_600_000;

export interface ServingOptions {
  readonly url: string;
  readonly ca: string;
  readonly settings: AgentSettings;
  readonly token?: (() => Promise<string>) | undefined;
  readonly clock: ManualClock;
  /** Believes what it measures of its link, not `bytesPerSecond`. */
  readonly measuresLink?: boolean | undefined;
  readonly log?: Logger | undefined;
  /** As of the server; `ends` has them too. */
  readonly onExchangeEnd?: ServerOptions['onExchangeEnd'] | undefined;
}

/** The agent's serving half with a real upstream: it lacks a session only. */
export class Serving {
  readonly budget = new Budget(32 * MEBIBYTE);
  readonly pools: WorkerPools;
  readonly limits: Limits;
  readonly upstream: Upstream;
  readonly server: Server;
  /** Those that follow the settings while they run. */
  readonly sessions: AgentSession[] = [];
  readonly ends: ExchangeEnd[] = [];
  /** Of each answer that went deflated. */
  readonly deflated: DeflatedBytes[] = [];
  /** How fast the link to the gateway is found to be. */
  bytesPerSecond: number | undefined;
  unauthorized = 0;

  constructor(options: ServingOptions) {
    const {
      url,
      ca,
      settings,
      token = async () => 'agent-token',
      clock,
      measuresLink = false,
      log = silentLogger,
      onExchangeEnd,
    } = options;
    // Older than what the gateway says: CONFIG brings it, as to an agent that has just started.
    this.limits = new Limits({ ...settings, generation: settings.generation - 1 }, (next) => bringSettings(next, this));
    this.pools = {
      ordinary: new WorkerPool({ limit: settings.limits.maxConcurrentRequests, queueLimit: 4 }),
      longRunning: new WorkerPool({ limit: settings.limits.maxLongRunningRequests, queueLimit: 4 }),
    };
    this.upstream = new Upstream({ url, ca, connectMs: UNTOLD_CONNECT_MS, clock });
    this.server = new Server({
      context: {
        upstream: this.upstream,
        token,
        credential: "the agent's own token",
        onUnauthorized: () => {
          this.unauthorized += 1;
        },
        clock,
        timeouts: () => this.limits.current.timeouts,
      },
      pools: this.pools,
      limits: this.limits,
      budget: this.budget,
      clock,
      random: () => 0.5,
      log,
      instanceId: 'instance',
      onExchangeEnd: (end, workedMs) => {
        this.ends.push(end);
        onExchangeEnd?.(end, workedMs);
      },
      onDeflated: (bytes) => this.deflated.push(bytes),
      ...(measuresLink ? {} : { linkSpeed: () => this.bytesPerSecond }),
    });
  }

  /** Answers that are being deflated. */
  get deflating(): number {
    return this.server.deflating;
  }

  /** Requests at the upstream or queued here. */
  get busy(): number {
    const { ordinary, longRunning } = this.pools;
    return ordinary.running + ordinary.queued + longRunning.running + longRunning.queued;
  }
}
