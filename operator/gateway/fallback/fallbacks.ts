import type { Clock } from '../../../process/clock.ts';
import type { Logger } from '../../../process/log.ts';
import type { Budget } from '../../../tunnel/flow/budget.ts';
import type { BudgetShares } from '../sessions/budget-shares.ts';
import type { Tunnels, TunnelView } from '../sessions/tunnels.ts';
import type { DirectApplicant } from './direct-applicant.ts';
import { DirectWay } from './direct-way.ts';
import type { FallbackResult } from './result.ts';
import type { FallbackTarget, FindTarget, TargetTrouble } from './target.ts';

export interface FallbacksOptions {
  readonly tunnels: Tunnels;
  readonly findTarget: FindTarget;
  /** Of all tunnels together. */
  readonly budget: Pick<Budget, 'hasReserve'>;
  readonly budgets: Pick<BudgetShares, 'join' | 'leave'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** What a tunnel's status says of its fallback changed. */
  readonly onChange: (tunnel: string) => void;
}

/** What a tunnel's status says of its fallback. */
export interface FallbackFacts {
  /** URL of the API server; undefined: there is none, `refused` says why. */
  readonly server: string | undefined;
  readonly refused: TargetTrouble | undefined;
  /** Why it cannot be reached, or not always. */
  readonly trouble: string | undefined;
}

/** One tunnel's requests that went directly, for metrics. */
export interface FallbackSample {
  readonly tunnel: string;
  readonly results: Readonly<Record<FallbackResult, number>>;
}

interface Held {
  readonly uid: string;
  readonly way: DirectWay;
}

/** Requests that their tunnels cannot carry, and that this gateway sends to the API servers itself (spec.fallback). */
export class Fallbacks {
  readonly #options: FallbacksOptions;
  readonly #held = new Map<string, Held>();
  #isFeeding = false;

  constructor(options: FallbacksOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#sum(({ running }) => running);
  }

  get waiting(): number {
    return this.#sum(({ waiting }) => waiting);
  }

  /** Whether requests of this tunnel may go directly. */
  isUsable(tunnel: string): boolean {
    return this.#usable(tunnel) !== undefined;
  }

  /** Sends it directly, now or soon. undefined: this tunnel has no fallback that can be used. */
  go(applicant: DirectApplicant): (() => void) | undefined {
    const usable = this.#usable(applicant.tunnel);
    return usable === undefined ? undefined : this.#wayOf(usable.view).go(applicant, usable.target);
  }

  /** The tunnel's spec or the Secret that it names changed. */
  changed(tunnel: string): void {
    const view = this.#options.tunnels.get(tunnel);
    const held = this.#held.get(tunnel);
    if (held === undefined) return;
    if (view === undefined || view.uid !== held.uid || view.isDeleting) {
      held.way.end('the tunnel was deleted');
      if (view === undefined || view.uid !== held.uid) this.#held.delete(tunnel);
      return;
    }
    const target = this.#targetOf(view);
    if (target === undefined) held.way.end('its kubeconfig was taken away');
    else held.way.follow(target);
    if (view.isSuspended) held.way.turnAway();
  }

  /** Memory became free. */
  freed(): void {
    if (this.#isFeeding || this.waiting === 0) return;
    this.#isFeeding = true;
    queueMicrotask(() => {
      this.#isFeeding = false;
      for (const { way } of this.#held.values()) if (this.#options.budget.hasReserve) way.wake();
    });
  }

  /** undefined: the tunnel has no fallback. */
  facts(tunnel: string): FallbackFacts | undefined {
    const view = this.#options.tunnels.get(tunnel);
    if (view?.fallback === undefined) return undefined;
    const choice = this.#options.findTarget(view.fallback);
    const trouble = this.#held.get(tunnel)?.way.trouble;
    if ('trouble' in choice) return { server: undefined, refused: choice.trouble, trouble: undefined };
    return { server: choice.kubeconfig.server, refused: undefined, trouble };
  }

  samples(): FallbackSample[] {
    return [...this.#held].map(([tunnel, { way }]) => ({ tunnel, results: way.results }));
  }

  /** Cuts what still runs. */
  async close(): Promise<void> {
    await Promise.all([...this.#held.values()].map(({ way }) => way.close()));
  }

  #usable(tunnel: string): { readonly view: TunnelView; readonly target: FallbackTarget } | undefined {
    const view = this.#options.tunnels.get(tunnel);
    if (view === undefined || view.isDeleting || view.isSuspended) return undefined;
    const target = this.#targetOf(view);
    return target === undefined ? undefined : { view, target };
  }

  #targetOf({ fallback }: TunnelView): FallbackTarget | undefined {
    const choice = fallback === undefined ? undefined : this.#options.findTarget(fallback);
    return choice !== undefined && 'kubeconfig' in choice ? choice.kubeconfig : undefined;
  }

  #wayOf({ name, uid }: TunnelView): DirectWay {
    const known = this.#held.get(name);
    if (known?.uid === uid) return known.way;
    known?.way.end('the tunnel is another one now');
    const { tunnels, budgets, clock, log, onChange } = this.#options;
    const way = new DirectWay({
      view: () => tunnels.get(name),
      budgets,
      clock,
      onTrouble: (trouble) => {
        if (trouble === undefined) log.info('fallback reached again', { tunnel: name });
        else log.warn('fallback not reached', { tunnel: name, cause: trouble });
        onChange(name);
      },
    });
    this.#held.set(name, { uid, way });
    return way;
  }

  #sum(of: (way: DirectWay) => number): number {
    return [...this.#held.values()].reduce((total, { way }) => total + of(way), 0);
  }
}
