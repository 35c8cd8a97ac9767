import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { newTraceId } from '../../../process/trace.ts';
import { type Fault, statusBody } from './fault.ts';

/** Answers an upgrade with a plain HTTP error and ends the connection: nothing after it is read. */
export function refuseUpgrade(socket: Duplex, fault: Fault, traceId = newTraceId(), tunnel?: string): void {
  const body = `${JSON.stringify(statusBody(fault, tunnel, traceId))}\n`;
  const retryAfter = fault.retryAfterSeconds === undefined ? [] : [`Retry-After: ${fault.retryAfterSeconds}`];
  const lines = [
    `HTTP/1.1 ${fault.status} ${STATUS_CODES[fault.status] ?? 'Error'}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Trace-ID: ${traceId}`,
    ...retryAfter,
    'Connection: close',
  ];
  socket.on('error', () => {
    // The client went away before it read the answer: nobody is left to tell.
  });
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}
