import { type IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { constants, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { RawHeaders } from '../../../tunnel/wire/head.ts';
import { type Fault, statusBody } from './fault.ts';

/** HTTP/1.1 and HTTP/2 through Node's one handler. */
export type ClientRequest = IncomingMessage | Http2ServerRequest;
export type ClientResponse = ServerResponse | Http2ServerResponse;

/** Writes a head with a raw header list; order, case (HTTP/1.1) and repetition kept. */
export function writeHead(response: ClientResponse, status: number, headers: RawHeaders): void {
  if (response instanceof ServerResponse) response.writeHead(status, [...headers]);
  else response.writeHead(status, grouped(headers));
}

/** Answers with a Status; nothing if a head is already out. */
export function sendFault(response: ClientResponse, fault: Fault, traceId: string, tunnel?: string): void {
  if (response.headersSent || response.destroyed) return;
  const body = `${JSON.stringify(statusBody(fault, tunnel, traceId))}\n`;
  const isHttp1 = response instanceof ServerResponse;
  writeHead(response, fault.status, [
    'content-type',
    'application/json',
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

/** Names to values, repeated names as lists, lower-case: what HTTP/2 needs. */
function grouped(headers: RawHeaders): OutgoingHttpHeaders {
  const byName: Record<string, string | string[]> = {};
  for (let at = 0; at < headers.length; at += 2) {
    const name = (headers[at] ?? '').toLowerCase();
    const value = headers[at + 1] ?? '';
    const known = byName[name];
    if (known === undefined) byName[name] = value;
    else byName[name] = Array.isArray(known) ? [...known, value] : [known, value];
  }
  return byName;
}
