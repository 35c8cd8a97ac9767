/** A client that takes nothing is waited for this long, as by nginx (send_timeout). */
const STILL_MS = 60_000;
/** A link that carries less is none. */
const SLOWEST_BYTES_PER_SECOND = 16 * 1024;

/**
 * How long a client to which everything was said may take to take it, in milliseconds. Later it is cut: it would hold
 * memory, windows and its connection for as long as it likes. `pendingBytes`: what is not out.
 */
export function takeWithinMs(pendingBytes: number): number {
  return STILL_MS + Math.ceil((pendingBytes / SLOWEST_BYTES_PER_SECOND) * 1_000);
}
