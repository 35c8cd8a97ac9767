import { type Fault, fault } from '../front/fault.ts';

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
}

export interface Patience {
  readonly isWatch: boolean;
  readonly enteredMs: number;
  /** When the request's own deadline passes; Infinity for long-running ones. */
  readonly deadlineMs: number;
  readonly disconnectGraceMs: number;
}

/** Whether waiting for the tunnel makes sense at all. */
export function isOffline({ nowMs, isConnected, awaySinceMs }: Absence, isWatch: boolean): boolean {
  if (isConnected) return false;
  return awaySinceMs === undefined || (!isWatch && nowMs - awaySinceMs >= OFFLINE_AFTER_MS);
}

/** When a waiting request gives up. While the tunnel is away: its grace; while it is there: the request's deadline. */
export function giveUpAtMs({ isConnected, awaySinceMs }: Absence, patience: Patience): number {
  const { isWatch, enteredMs, deadlineMs, disconnectGraceMs } = patience;
  if (isConnected) return deadlineMs;
  const sinceMs = Math.max(enteredMs, awaySinceMs ?? enteredMs);
  return Math.min(deadlineMs, sinceMs + (isWatch ? WATCH_HOLD_MS : disconnectGraceMs));
}

/** What a request is told that waited in vain. */
export function gaveUp(tunnel: string, absence: Absence, isWatch: boolean, random: number): Fault {
  if (absence.isConnected) return fault('queue_timeout', `no worker of tunnel "${tunnel}" became free in time`);
  if (isOffline(absence, isWatch)) return offline(tunnel);
  const message = `tunnel "${tunnel}" is reconnecting`;
  if (isWatch) return fault('watch_held', message, { retryAfterSeconds: 2 + Math.floor(random * 7) });
  return fault('cluster_reconnecting', message);
}

export function offline(tunnel: string): Fault {
  return fault('cluster_offline', `tunnel "${tunnel}" is not connected; see kubectl describe clustertunnel ${tunnel}`);
}
