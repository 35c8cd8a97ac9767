import type { Http2Session } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../../process/clock.ts';

/** How often a connection is looked at. For so long it may be silent unasked, and a PING or a last word take to leave. */
const LOOK_MS = 30_000;
/** PINGs in a row that a client may leave unanswered: five minutes. Node keeps as many. */
const MAX_UNANSWERED = 10;

/**
 * Ends an HTTP/2 connection that is dead: `socket` is its own. Two things keep one in Node for ever, even when the client
 * has gone:
 * - a client that breaks the protocol: Node 20 often reads nothing more once it has said GOAWAY, and tells nobody
 *   (CVE-2026-48937). What gives it away is a PING that never leaves;
 * - a session that has closed, and whose client does not close too.
 */
export function endWhenDead(session: Http2Session, socket: TLSSocket, clock: Clock): void {
  let bytesRead = 0;
  let unanswered = 0;
  /** When the last PING was handed over; undefined: none since the client spoke. */
  let bytesWritten: number | undefined;
  const isAlive = () => {
    if (socket.bytesRead !== bytesRead) {
      bytesRead = socket.bytesRead;
      bytesWritten = undefined;
      unanswered = 0;
      return true;
    }
    const isStuck = bytesWritten === socket.bytesWritten;
    bytesWritten = socket.bytesWritten;
    unanswered += 1;
    return !isStuck && unanswered <= MAX_UNANSWERED && session.ping(() => {});
  };
  const look = () => {
    if (session.destroyed) return void socket.destroy();
    if (!isAlive()) session.destroy();
    cancel = clock.after(LOOK_MS, look);
  };
  let cancel = clock.after(LOOK_MS, look);
  socket.once('close', () => cancel());
}
