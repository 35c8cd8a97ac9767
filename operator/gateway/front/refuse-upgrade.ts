import type { Duplex } from 'node:stream';
import type { Clock } from '../../../process/clock.ts';
import { newTraceId } from '../../../process/trace.ts';
import { rawHead } from './raw-head.ts';
import { errorAnswer } from './status.ts';
import type { TunnelError } from './tunnel-error.ts';
import { takeWithinMs } from './untaken.ts';

export interface Refusal {
  readonly clock: Clock;
  /** A new one unless told. */
  readonly traceId?: string;
  /** Named in the Status if it is given. */
  readonly tunnel?: string | undefined;
}

/** Answers an upgrade with a plain HTTP error and ends the connection: nothing after it is read. */
export function refuseUpgrade(
  socket: Duplex,
  error: TunnelError,
  { clock, traceId = newTraceId(), tunnel }: Refusal,
): void {
  const { status, headers, body } = errorAnswer(error, traceId, tunnel);
  socket.on('error', () => {
    // The client went away before it read the answer: nobody is left to tell.
  });
  socket.write(rawHead(status, [...headers, 'connection', 'close']));
  socket.end(body, () => socket.destroy());
  socket.once(
    'close',
    clock.after(takeWithinMs(body.length), () => socket.destroy()),
  );
}
