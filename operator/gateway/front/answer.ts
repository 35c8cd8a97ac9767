import { type IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { constants, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { Clock } from '../../../process/clock.ts';
import type { RawHeaders } from '../../../tunnel/wire/head.ts';
import { type Fault, statusBody } from './fault.ts';

/** HTTP/1.1 and HTTP/2 through Node's one handler. */
export type ClientRequest = IncomingMessage | Http2ServerRequest;
export type ClientResponse = ServerResponse | Http2ServerResponse;

/** As long as nginx waits for more of a body that it drops (lingering_timeout). */
const DISCARD_MS = 5_000;
/**
 * Repeated fields that clients read line by line. All others are joined, as RFC 9110 §5.3 allows: Node throws at a second
 * line of many fields.
 */
const KEPT_APART: ReadonlySet<string> = new Set(['set-cookie', 'warning', 'www-authenticate']);

/** Writes a head with a raw header list; order, case (HTTP/1.1) and repetition kept. */
export function writeHead(response: ClientResponse, status: number, headers: RawHeaders): void {
  if (response instanceof ServerResponse) response.writeHead(status, [...headers]);
  else response.writeHead(status, grouped(headers));
}

/** Answers with a Status; nothing if a head is already out. */
export function sendFault(response: ClientResponse, fault: Fault, traceId: string, tunnel?: string): void {
  if (response.headersSent || response.destroyed) return;
  const status = statusBody(fault, tunnel, traceId);
  const body = fault.isText === true ? `${status.message}\n` : `${JSON.stringify(status)}\n`;
  const isHttp1 = response instanceof ServerResponse;
  writeHead(response, fault.status, [
    'content-type',
    fault.isText === true ? 'text/plain; charset=utf-8' : 'application/json',
    'content-length',
    String(Buffer.byteLength(body)),
    'x-trace-id',
    traceId,
    ...(fault.retryAfterSeconds === undefined ? [] : ['retry-after', String(fault.retryAfterSeconds)]),
    ...(fault.isLast === true && isHttp1 ? ['connection', 'close'] : []),
  ]);
  response.end(body);
}

/** Cuts an answer that has begun: the client must see an error, never a clean end. */
export function cut(response: ClientResponse): void {
  if (response instanceof ServerResponse) response.destroy();
  else response.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
}

/** Hands body bytes over. False: the client has not taken them yet; wait for drain. */
export function writeBody(response: ClientResponse, chunk: Uint8Array): boolean {
  return response instanceof ServerResponse ? response.write(chunk) : response.write(chunk);
}

/** Sends a head that was written without waiting for its body. HTTP/2 sends it at once anyway. */
export function flushHead(response: ClientResponse): void {
  if (response instanceof ServerResponse) response.flushHeaders();
}

/** Trailer fields of an answer whose body ends now. */
export function sendTrailers(response: ClientResponse, fields: RawHeaders): void {
  const trailers = grouped(fields);
  if (response instanceof ServerResponse) response.addTrailers(trailers);
  else response.addTrailers(trailers);
}

/**
 * Reads the rest of a body whose request has its answer, so that the client comes to see that answer and the connection
 * can be used again; cuts a body that goes on for longer. HTTP/2 asks the client to stop (RFC 9113 §8.1).
 */
export function discardBody(request: ClientRequest, response: ClientResponse, clock: Clock): void {
  request.resume();
  if (request.complete) return;
  if (!(response instanceof ServerResponse)) {
    const { stream } = response;
    if (stream.endAfterHeaders) return;
    // A turn later: Node drops a NO_ERROR that overtakes the end of the answer.
    stream.once('finish', () => setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR)));
    return;
  }
  const cancel = clock.after(DISCARD_MS, () => request.socket.destroy());
  request.once('end', cancel);
  request.once('close', cancel);
}

/** Names to values, lower-case, repeated names joined or as lists: what HTTP/2 through Node needs. */
function grouped(headers: RawHeaders): OutgoingHttpHeaders {
  const byName = new Map<string, string | string[]>();
  for (let at = 0; at < headers.length; at += 2) {
    const name = (headers[at] ?? '').toLowerCase();
    const value = headers[at + 1] ?? '';
    const known = byName.get(name);
    if (known === undefined) byName.set(name, value);
    else if (!KEPT_APART.has(name)) byName.set(name, `${known}, ${value}`);
    else byName.set(name, Array.isArray(known) ? [...known, value] : [known, value]);
  }
  return Object.fromEntries(byName);
}
