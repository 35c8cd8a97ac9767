import type { Clock } from '../../../process/clock.ts';

/** Everything is applied again after this long, whatever the watches said. */
const RECHECK_MS = 600_000;

/**
 * Which desired state was last applied for each tunnel, so that a change of sessions costs no calls.
 * Forgotten whenever somebody else changes or deletes one of the objects: that is how drift is repaired.
 */
export class Placed {
  readonly #clock: Clock;
  readonly #byTunnel = new Map<string, { readonly digest: string; readonly atMs: number }>();
  /** The attempt under way for each tunnel. */
  readonly #attempts = new Map<string, object>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether this state was applied and nothing is known to have changed since. */
  isCurrent(tunnel: string, digest: string): boolean {
    const known = this.#byTunnel.get(tunnel);
    return known?.digest === digest && this.#clock.nowMs() - known.atMs < RECHECK_MS;
  }

  /**
   * Before applying. Call what it returns on success: the state is current then, unless the tunnel was forgotten meanwhile.
   * Otherwise a change between our write and its end would be taken for ours.
   */
  begin(tunnel: string, digest: string): () => void {
    const attempt = {};
    this.forget(tunnel);
    this.#attempts.set(tunnel, attempt);
    return () => {
      if (this.#attempts.get(tunnel) !== attempt) return;
      this.#attempts.delete(tunnel);
      this.#byTunnel.set(tunnel, { digest, atMs: this.#clock.nowMs() });
    };
  }

  forget(tunnel: string): void {
    this.#attempts.delete(tunnel);
    this.#byTunnel.delete(tunnel);
  }
}
