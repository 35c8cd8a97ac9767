import type { Duplex } from 'node:stream';
import { newTraceId } from '../../../process/trace.ts';
import { rawHead } from './raw-head.ts';
import { errorAnswer } from './status.ts';
import type { TunnelError } from './tunnel-error.ts';

/** Answers an upgrade with a plain HTTP error and ends the connection: nothing after it is read. */
export function refuseUpgrade(socket: Duplex, error: TunnelError, traceId = newTraceId(), tunnel?: string): void {
  const { status, headers, body } = errorAnswer(error, traceId, tunnel);
  socket.on('error', () => {
    // The client went away before it read the answer: nobody is left to tell.
  });
  socket.write(rawHead(status, [...headers, 'connection', 'close']));
  socket.end(body, () => socket.destroy());
}
