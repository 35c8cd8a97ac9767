import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../../process/clock.ts';
import type { Logger } from '../../../process/log.ts';
import type { TunnelView } from '../sessions/tunnels.ts';
import type { FaultKind } from './fault.ts';
import type { Allowed } from './gate.ts';
import { leaving, TunnelError } from './tunnel-error.ts';

/** A stream is asked about again after this long, or up to a fifth less: not all that began together at once. */
const EVERY_MS = 300_000;
const SPREAD_SHARE = 0.2;
/** What changed at the hub is looked at within this time, spread over it: a revoked tunnel has ended its streams in 15 s. */
const SOON_MS = 10_000;
/** While the hub cannot say, it is asked again so often, */
const RETRY_MS = 30_000;
/** and a stream goes on for so long after it was last allowed: an outage of the hub's reviews must not cut everybody. */
export const UNCERTAIN_MS = 900_000;
/** Watches of a gateway that leaves end within this time. */
const WATCHES_END_MS = 1_000;
/** Verdicts that say nothing of the user. */
const UNCERTAIN: ReadonlySet<FaultKind> = new Set(['auth_unavailable', 'queue_full', 'rate_limited', 'internal']);

export interface LongStreamsOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

/** A request that was let in and has no end of its own. */
export interface LongStream {
  readonly tunnel: string;
  readonly allowed: Allowed;
  /** Its time is over, and why. */
  readonly revoke: (error: TunnelError) => void;
}

interface Watched extends LongStream {
  allowedAtMs: number;
  dueMs: number;
  cancel: () => void;
}

/** Watches, logs, exec and the like: who began one must still be who he was, and still be allowed. */
export class LongStreams {
  readonly #options: LongStreamsOptions;
  readonly #byTunnel = new Map<string, Set<Watched>>();

  constructor(options: LongStreamsOptions) {
    this.#options = options;
  }

  /** From now on it is asked about. The returned function forgets it. */
  watch(stream: LongStream): () => void {
    const { clock, random } = this.#options;
    const watched: Watched = {
      ...stream,
      allowedAtMs: clock.nowMs(),
      dueMs: Number.POSITIVE_INFINITY,
      cancel: () => {},
    };
    const all = this.#byTunnel.get(stream.tunnel) ?? new Set();
    this.#byTunnel.set(stream.tunnel, all.add(watched));
    this.#arm(watched, EVERY_MS * (1 - random() * SPREAD_SHARE));
    return () => this.#forget(watched);
  }

  /** A tunnel changed: what it changes for running streams is enforced soon. `view` undefined: it is gone. */
  tunnelChanged(tunnel: string, view: TunnelView | undefined): void {
    for (const watched of this.#byTunnel.get(tunnel) ?? []) {
      const before = watched.allowed.view;
      const isSame =
        view?.uid === before.uid &&
        !view.isDeleting &&
        !view.isSuspended &&
        isDeepStrictEqual(view.settings.access, before.settings.access);
      if (!isSame) this.#arm(watched, SOON_MS * this.#options.random());
    }
  }

  /** The gateway leaves: watches end within a second, for their clients go on elsewhere. What cannot go on runs to its end. */
  drain(): void {
    const { clock, random } = this.#options;
    for (const watched of [...this.#byTunnel.values()].flatMap((all) => [...all])) {
      const { route } = watched.allowed;
      if (route.info.verb !== 'watch') continue;
      watched.cancel();
      // No question before then.
      watched.dueMs = Number.NEGATIVE_INFINITY;
      const where = { tunnel: watched.tunnel, path: route.plainPath };
      watched.cancel = clock.after(random() * WATCHES_END_MS, () => watched.revoke(leaving(where)));
    }
  }

  /** Never later than it is due already. */
  #arm(watched: Watched, delayMs: number): void {
    const { clock } = this.#options;
    const dueMs = clock.nowMs() + delayMs;
    if (dueMs >= watched.dueMs) return;
    watched.cancel();
    watched.dueMs = dueMs;
    watched.cancel = clock.after(delayMs, () => {
      watched.dueMs = Number.POSITIVE_INFINITY;
      // Never rejects.
      void this.#ask(watched);
    });
  }

  async #ask(watched: Watched): Promise<void> {
    const { clock, random, log } = this.#options;
    const trouble = await troubleWith(watched.allowed).catch((error: unknown) => {
      log.error('stream not asked about', { tunnel: watched.tunnel, error });
      return new TunnelError('internal', 'the gateway could not ask whether the stream is still allowed');
    });
    if (!this.#byTunnel.get(watched.tunnel)?.has(watched)) return;
    if (trouble === undefined) {
      watched.allowedAtMs = clock.nowMs();
      return this.#arm(watched, EVERY_MS * (1 - random() * SPREAD_SHARE));
    }
    const isUncertain = UNCERTAIN.has(trouble.kind) && clock.nowMs() - watched.allowedAtMs < UNCERTAIN_MS;
    if (isUncertain) return this.#arm(watched, RETRY_MS * (1 - random() * SPREAD_SHARE));
    this.#forget(watched);
    watched.revoke(trouble);
  }

  #forget(watched: Watched): void {
    watched.cancel();
    const all = this.#byTunnel.get(watched.tunnel);
    all?.delete(watched);
    if (all?.size === 0) this.#byTunnel.delete(watched.tunnel);
  }
}

/** Who somebody is at the target; in which order his groups and extras are told means nothing. */
function settled({ identity }: Allowed) {
  if (identity === undefined) return undefined;
  const { groups, extras = [] } = identity;
  const byKey = Object.fromEntries(extras.map(({ key, values }) => [key, [...values].sort()]));
  return { ...identity, groups: [...groups].sort(), extras: byKey };
}

/** Why what was let in may not go on; undefined while it may. */
async function troubleWith(before: Allowed): Promise<TunnelError | undefined> {
  const now = await before.again();
  if (now instanceof TunnelError) return now;
  const { tunnel, plainPath: path } = before.route;
  const where = { tunnel, path };
  if (now.view.uid !== before.view.uid)
    return new TunnelError('not_found', `tunnel "${tunnel}" is another one now`, where);
  if (now.view.isSuspended) return new TunnelError('cluster_offline', `tunnel "${tunnel}" is suspended`, where);
  if (isDeepStrictEqual(settled(now), settled(before))) return undefined;
  const changed = `user "${before.user.username}" is not at the target who he was when the stream began: start it again`;
  return new TunnelError('forbidden', changed, where);
}
