import { noSuchTunnel, TunnelError } from '../front/tunnel-error.ts';

/** Away longer than this is offline: waiting helps nobody, and kubectl would hang on Retry-After. */
const OFFLINE_AFTER_MS = 60_000;
/** A watch start is held this long: a 429 afterwards costs informers no relist, a 503 would. */
const WATCH_HOLD_MS = 25_000;

export interface Absence {
  readonly nowMs: number;
  /** Whether any session is open now. */
  readonly isConnected: boolean;
  /** When the last session went; undefined when there never was one. */
  readonly awaySinceMs: number | undefined;
  /** Nobody waits for a suspended tunnel, though sessions may still finish what runs. */
  readonly isSuspended: boolean;
  /** Deleted, or being deleted: it takes no new requests. */
  readonly isGone: boolean;
}

export interface Patience {
  readonly isWatch: boolean;
  readonly enteredMs: number;
  /** When it has waited long enough for a worker, though the tunnel is there. */
  readonly deadlineMs: number;
  readonly disconnectGraceMs: number;
  /** It may go another way: it waits no longer than until the tunnel has been away for its grace, whenever it came. */
  readonly hasFallback?: boolean;
}

/** Whether waiting for the tunnel makes sense at all. */
export function isOffline(absence: Absence, isWatch: boolean): boolean {
  const { nowMs, isConnected, awaySinceMs, isSuspended, isGone } = absence;
  if (isSuspended || isGone) return true;
  if (isConnected) return false;
  return awaySinceMs === undefined || (!isWatch && nowMs - awaySinceMs >= OFFLINE_AFTER_MS);
}

/** When a waiting request gives up. While the tunnel is away: its grace; while it is there: its deadline. */
export function giveUpAtMs({ isConnected, awaySinceMs }: Absence, patience: Patience): number {
  const { isWatch, enteredMs, deadlineMs, disconnectGraceMs, hasFallback = false } = patience;
  if (isConnected) return deadlineMs;
  if (hasFallback) return Math.min(deadlineMs, (awaySinceMs ?? enteredMs) + disconnectGraceMs);
  const sinceMs = Math.max(enteredMs, awaySinceMs ?? enteredMs);
  return Math.min(deadlineMs, sinceMs + (isWatch ? WATCH_HOLD_MS : disconnectGraceMs));
}

/** The request that waits: of which tunnel, and what it asks, without the query. */
export interface Waiting {
  readonly tunnel: string;
  readonly path: string;
  readonly isWatch: boolean;
}

/** What a request is told that waited in vain. */
export function gaveUp(waiting: Waiting, absence: Absence, random: number): TunnelError {
  const { tunnel, path, isWatch } = waiting;
  if (isOffline(absence, isWatch)) return offline(waiting, absence);
  if (absence.isConnected) {
    return new TunnelError('queue_timeout', `no worker of tunnel "${tunnel}" became free in time`, { tunnel, path });
  }
  const message = `tunnel "${tunnel}" is reconnecting`;
  if (!isWatch) return new TunnelError('cluster_reconnecting', message, { tunnel, path });
  const retryAfterSeconds = 2 + Math.floor(random * 7);
  return new TunnelError('watch_held', message, { tunnel, path, retryAfterSeconds });
}

/** What a request is told for which waiting makes no sense: the tunnel is offline, or has been away for too long while another way is open. */
export function refusedAtOnce(
  waiting: Waiting,
  absence: Absence,
  patience: Patience,
  random: number,
): TunnelError | undefined {
  if (isOffline(absence, waiting.isWatch)) return offline(waiting, absence);
  const { hasFallback = false } = patience;
  if (!hasFallback || absence.isConnected || giveUpAtMs(absence, patience) > absence.nowMs) return undefined;
  return gaveUp(waiting, absence, random);
}

/** What a request is told that need not wait. */
export function offline({ tunnel, path }: Waiting, { isSuspended, isGone }: Absence): TunnelError {
  if (isGone) return noSuchTunnel({ tunnel, path });
  if (isSuspended) return suspended({ tunnel, path });
  const message = `tunnel "${tunnel}" is not connected; see kubectl describe clustertunnel ${tunnel}`;
  return new TunnelError('cluster_offline', message, { tunnel, path });
}

/** What everybody is told who comes to a suspended tunnel, or its agents. */
export function suspended({ tunnel, path }: { tunnel: string; path?: string }): TunnelError {
  const message = `tunnel "${tunnel}" is suspended: set spec.suspend to false to use it`;
  return new TunnelError('cluster_offline', message, { tunnel, path });
}
