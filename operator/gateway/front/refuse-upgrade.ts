import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../../process/clock.ts';
import type { Logger } from '../../../process/log.ts';
import { newTrace, type Trace } from '../../../process/trace.ts';
import { refusalLine } from './audit.ts';
import { rawHead } from './raw-head.ts';
import { errorAnswer } from './status.ts';
import type { TunnelError } from './tunnel-error.ts';
import { takeWithinMs } from './untaken.ts';

export interface Refusal {
  readonly clock: Clock;
  /** A new one unless told. */
  readonly trace?: Trace;
  /** Named in the Status if it is given. */
  readonly tunnel?: string | undefined;
  /** Of the request, if it could be read: an answer to HEAD has no body. */
  readonly method?: string;
}

/** Refuses what never became a request of a handler's, and says so in the log. */
export function refuseUnread(
  socket: Duplex,
  error: TunnelError,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): void {
  const trace = newTrace();
  const { remoteAddress: address = '' } = socket as Partial<Socket>;
  log.info('audit', refusalLine(error, { trace, address }));
  refuseUpgrade(socket, error, { clock, trace });
}

/** Answers an upgrade with a plain HTTP error and ends the connection: nothing after it is read. */
export function refuseUpgrade(
  socket: Duplex,
  error: TunnelError,
  { clock, trace = newTrace(), tunnel, method }: Refusal,
): void {
  const { status, headers, body } = errorAnswer(error, trace, tunnel);
  socket.on('error', () => {
    // The client went away before it read the answer: nobody is left to tell.
  });
  socket.write(rawHead(status, [...headers, 'connection', 'close']));
  socket.end(method === 'HEAD' ? '' : body, () => socket.destroy());
  socket.once(
    'close',
    clock.after(takeWithinMs(body.length), () => socket.destroy()),
  );
}
