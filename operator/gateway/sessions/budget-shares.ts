import type { Budget } from '../../../tunnel/flow/budget.ts';
import { BudgetShare } from '../../../tunnel/flow/budget-share.ts';

/** Each tunnel's part of the gateway's bytes, for all its sessions together. */
export class BudgetShares {
  readonly #whole: Budget;
  readonly #byTunnel = new Map<string, { readonly share: BudgetShare; sessions: number }>();

  constructor(whole: Budget) {
    this.#whole = whole;
  }

  /** Tunnels that have one. */
  get size(): number {
    return this.#byTunnel.size;
  }

  /** A session begins. */
  join(tunnel: string): BudgetShare {
    const known = this.#byTunnel.get(tunnel) ?? { share: new BudgetShare(this.#whole), sessions: 0 };
    known.sessions += 1;
    this.#byTunnel.set(tunnel, known);
    return known.share;
  }

  /** A session ended. What its clients still have to take counts as nobody's, and in the whole. */
  leave(tunnel: string): void {
    const known = this.#byTunnel.get(tunnel);
    if (known === undefined) return;
    known.sessions -= 1;
    if (known.sessions === 0) this.#byTunnel.delete(tunnel);
  }
}
