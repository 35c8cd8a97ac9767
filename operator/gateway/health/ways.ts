import type { HealthSettings } from '../../../crds/health.ts';
import type { Clock } from '../../../process/clock.ts';
import type { Logger } from '../../../process/log.ts';
import type { Hear } from '../sessions/overheard.ts';
import type { Tunnels, TunnelView } from '../sessions/tunnels.ts';
import {
  isSuccess,
  type Look,
  looked,
  lookOf,
  sparedMs,
  UNSEEN,
  type Way,
  type WayFacts,
  wayFacts,
  wayState,
} from './way.ts';

/** Asks something small through the tunnel; `hear` is told once, later, how it went. False: no worker is free. */
export type AskThrough = (view: TunnelView, timeoutMs: number, hear: Hear) => boolean;

export interface WaysOptions {
  readonly tunnels: Pick<Tunnels, 'get'>;
  /** Whether an open session of this tunnel is here. */
  readonly isConnected: (tunnel: string) => boolean;
  /** Whether users wait for its workers: they come first. */
  readonly isAwaited: (tunnel: string) => boolean;
  /** Whether its requests are refused because the way does not hold: then somebody else asks. */
  readonly isCircuitOpen: (tunnel: string) => boolean;
  readonly ask: AskThrough;
  readonly clock: Clock;
  readonly log: Logger;
  /** What conditions say of this tunnel may be otherwise now. */
  readonly onChange: (tunnel: string) => void;
}

interface Held {
  readonly uid: string;
  way: Way;
  /** When it was last looked whether something went along the way. */
  lookedMs: number;
  isAsking: boolean;
  cancel: () => void;
}

/** How looks ended, over all tunnels since the start. */
export type LookCounts = Readonly<Record<Look['kind'] | 'spared', number>>;

/**
 * Watches the ways to all API servers as users go them: what users are answered counts, and where none was for an interval the
 * gateway asks itself, with one worker of an agent at most, for `health.timeout` at most, and never before users who wait.
 */
export class Ways {
  readonly #options: WaysOptions;
  readonly #held = new Map<string, Held>();
  readonly #counts = { reached: 0, failed: 0, saturated: 0, spared: 0 };

  constructor(options: WaysOptions) {
    this.#options = options;
  }

  /** Tunnels of which anything is kept, for tests. */
  get size(): number {
    return this.#held.size;
  }

  get counts(): LookCounts {
    return { ...this.#counts };
  }

  /** undefined: nothing is known. */
  facts(tunnel: string): WayFacts | undefined {
    const held = this.#held.get(tunnel);
    const health = this.#settings(tunnel);
    return held === undefined || health === undefined ? undefined : wayFacts(held.way, health);
  }

  /** A session came, or slots became free. */
  roomCame(tunnel: string): void {
    if (this.#held.has(tunnel)) return;
    const view = this.#options.tunnels.get(tunnel);
    if (view === undefined || !this.#isWatched(view)) return;
    const held: Held = { uid: view.uid, way: UNSEEN, lookedMs: 0, isAsking: false, cancel: () => {} };
    this.#held.set(tunnel, held);
    this.#look(tunnel, held);
  }

  /** A request of a user goes this way; what it returns is told how it went. */
  sent(tunnel: string): Hear {
    return (outcome, status) => {
      const held = this.#held.get(tunnel);
      if (held !== undefined && isSuccess(outcome, status)) this.#put(tunnel, held, { kind: 'reached' });
    };
  }

  /** The tunnel's spec changed: the next look comes when the new interval says. */
  tunnelChanged(tunnel: string): void {
    const held = this.#held.get(tunnel);
    const view = this.#options.tunnels.get(tunnel);
    if (held === undefined) return this.roomCame(tunnel);
    if (view === undefined || view.uid !== held.uid || !this.#isWatched(view)) this.forget(tunnel);
    else if (!held.isAsking) this.#lookLater(tunnel, held);
  }

  /** Its last session went: whoever comes next may be in front of another API server. */
  forget(tunnel: string): void {
    this.#held.get(tunnel)?.cancel();
    this.#held.delete(tunnel);
  }

  #settings(tunnel: string): HealthSettings | undefined {
    return this.#options.tunnels.get(tunnel)?.health;
  }

  #isWatched({ name, health, isDeleting, isSuspended }: TunnelView): boolean {
    return health !== undefined && !isDeleting && !isSuspended && this.#options.isConnected(name);
  }

  #look(tunnel: string, held: Held): void {
    const { tunnels, clock, isCircuitOpen, isAwaited } = this.#options;
    const view = tunnels.get(tunnel);
    if (view?.health === undefined || !this.#isWatched(view)) return this.forget(tunnel);
    held.lookedMs = clock.nowMs();
    const isSpared = isCircuitOpen(tunnel) || sparedMs(held.way, view.health, held.lookedMs) > 0;
    if (isSpared) this.#counts.spared += 1;
    else if (isAwaited(tunnel) || !this.#ask(view, view.health, held)) this.#found(tunnel, held, { kind: 'saturated' });
    if (!held.isAsking) this.#lookLater(tunnel, held);
  }

  /** False: no worker is free for it. */
  #ask(view: TunnelView, { timeoutMs }: HealthSettings, held: Held): boolean {
    held.isAsking = this.#options.ask(view, timeoutMs, (outcome, status) => {
      held.isAsking = false;
      if (this.#held.get(view.name) !== held) return;
      const look = lookOf(outcome, status, timeoutMs);
      if (look !== undefined) this.#found(view.name, held, look);
      this.#lookLater(view.name, held);
    });
    return held.isAsking;
  }

  /** When an interval is over since the last success; if it is over, since the last look. */
  #lookLater(tunnel: string, held: Held): void {
    const { clock } = this.#options;
    const health = this.#settings(tunnel);
    held.cancel();
    if (health === undefined) return;
    const nowMs = clock.nowMs();
    const afterMs = sparedMs(held.way, health, nowMs) || Math.max(0, held.lookedMs + health.intervalMs - nowMs);
    held.cancel = clock.after(afterMs, () => this.#look(tunnel, held));
  }

  #found(tunnel: string, held: Held, look: Look): void {
    this.#counts[look.kind] += 1;
    this.#put(tunnel, held, look);
  }

  #put(tunnel: string, held: Held, look: Look): void {
    const { clock, log, onChange } = this.#options;
    const health = this.#settings(tunnel);
    const before = held.way;
    held.way = looked(before, look, clock.nowMs());
    if (health === undefined) return;
    const [was, is] = [wayState(before, health), wayState(held.way, health)];
    if (was === is) return;
    if (is === 'open' && was !== 'unseen') log.info('requests get through again', { tunnel });
    if (is !== 'open') log.warn('no request gets through', { tunnel, state: is, cause: held.way.detail });
    onChange(tunnel);
  }
}
