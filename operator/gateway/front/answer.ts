import { type IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { constants, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Stream } from 'node:http2';
import type { Clock } from '../../../process/clock.ts';
import { type Trace, traceLines } from '../../../process/trace.ts';
import { headerOf } from '../../../tunnel/request-headers.ts';
import type { RawHeaders } from '../../../tunnel/wire/head.ts';
import { errorAnswer, NO_SNIFFING } from './status.ts';
import type { TunnelError } from './tunnel-error.ts';
import { takeWithinMs } from './untaken.ts';

/** HTTP/1.1 and HTTP/2 through Node's one handler. */
export type ClientRequest = IncomingMessage | Http2ServerRequest;
export type ClientResponse = ServerResponse | Http2ServerResponse;

/** As long as nginx waits for more of a body that it drops (lingering_timeout). */
const DISCARD_MS = 5_000;
/** Turns of the event loop until the end of an answer is written to a connection that takes it, and then how often to look. */
const END_TURNS = 4;
const LOOK_AGAIN_MS = 50;
/** A client that resets an answer which has ended is noticed so much later at most. */
const LOOK_FOR_RESET_MS = 1_000;
/**
 * Repeated fields that clients read line by line. All others are joined, as RFC 9110 §5.3 allows: Node throws at a second
 * line of many fields.
 */
const KEPT_APART: ReadonlySet<string> = new Set(['set-cookie', 'warning', 'www-authenticate']);

/** Requests whose clients were told to send the body. */
const continued = new WeakSet<ClientRequest>();

/** Whether the client holds its body back until it hears 100 Continue (RFC 9110 §10.1.1). HTTP/1.0 has no 1xx. */
function awaitsContinue(request: ClientRequest): boolean {
  if (continued.has(request) || request.httpVersion === '1.0') return false;
  const expectations = headerOf(request.rawHeaders, 'expect')?.split(',') ?? [];
  return expectations.some((expectation) => expectation.trim().toLowerCase() === '100-continue');
}

/** Asks for a body that waits for it. */
export function sendContinue({ request, response }: Asked): void {
  if (!awaitsContinue(request)) return;
  continued.add(request);
  if (response instanceof ServerResponse) response.writeContinue();
  // Node throws at a stream that is gone but has not said so yet.
  else if (!response.stream.closed && !response.stream.destroyed) response.writeContinue();
}

/** Writes a head with a raw header list; order, case (HTTP/1.1) and repetition kept. */
export function writeHead(response: ClientResponse, status: number, headers: RawHeaders): void {
  if (response instanceof ServerResponse) response.writeHead(status, [...headers]);
  else response.writeHead(status, grouped(headers));
}

/** One request of a client and where its answer goes. */
export interface Asked {
  readonly request: ClientRequest;
  readonly response: ClientResponse;
}

/** Answers with a Status, which names `tunnel` if it is given; nothing if a head is already out. */
export function sendError({ request, response }: Asked, error: TunnelError, trace: Trace, tunnel?: string): void {
  if (response.headersSent || response.destroyed) return;
  const answer = errorAnswer(error, trace, tunnel);
  // A client that was not told to send its body may not: what it sends next must not be taken for it.
  const isLast = answer.isLast || awaitsContinue(request);
  const isHttp1 = response instanceof ServerResponse;
  writeHead(response, answer.status, isLast && isHttp1 ? [...answer.headers, 'connection', 'close'] : answer.headers);
  response.end(answer.body);
}

/** Answers with a JSON document of the gateway's own; HEAD gets the same head alone. */
export function sendJson(response: ClientResponse, document: object, method: string, trace: Trace): void {
  if (response.destroyed) return;
  const body = `${JSON.stringify(document)}\n`;
  writeHead(response, 200, [
    'content-type',
    'application/json',
    'content-length',
    String(Buffer.byteLength(body)),
    'cache-control',
    'no-cache, private',
    ...NO_SNIFFING,
    ...traceLines(trace),
  ]);
  if (method === 'HEAD') response.end();
  else response.end(body);
}

/** Cuts an answer that has begun: the client must see an error, never a clean end. */
export function cut(response: ClientResponse): void {
  if (response instanceof ServerResponse) response.destroy();
  else if (response.stream.closed) response.stream.destroy();
  else response.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
}

/**
 * Lets 'close' tell of a client that resets its HTTP/2 stream without an error code, as those on Node do. Node would wait
 * for the last write to be taken, which nobody does any more.
 */
export function closeWhenReset(response: ClientResponse): void {
  if (response instanceof ServerResponse) return;
  const { stream } = response;
  stream.once('aborted', () => {
    if (stream.rstCode === constants.NGHTTP2_NO_ERROR) stream.destroy();
  });
}

/**
 * Cuts an answer that has ended and that the client does not take in time, or not any more: Node tells nobody of a reset
 * without an error that comes between the end of an answer and its last byte.
 */
export function cutUntaken(response: ClientResponse, clock: Clock): void {
  const isHttp1 = response instanceof ServerResponse;
  const writable = isHttp1 ? response : response.stream;
  if (writable.destroyed) return;
  const dueMs = clock.nowMs() + takeWithinMs(writable.writableLength);
  let cancel = () => {};
  const look = (): void => {
    const leftMs = dueMs - clock.nowMs();
    const isReset = !isHttp1 && response.stream.closed;
    if (leftMs <= 0 || isReset) cut(response);
    else cancel = clock.after(isHttp1 ? leftMs : Math.min(LOOK_FOR_RESET_MS, leftMs), look);
  };
  look();
  response.once('close', () => cancel());
}

/** Ends an answer whose body was handed over. */
export function endAnswer(response: ClientResponse, clock: Clock): void {
  response.end();
  cutUntaken(response, clock);
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
  if (fields.length === 0) return;
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
    if (!response.stream.endAfterHeaders) askToStop(response.stream, clock);
    return;
  }
  const cancel = clock.after(DISCARD_MS, () => request.socket.destroy());
  request.once('end', cancel);
  request.once('close', cancel);
}

/**
 * Resets a stream without an error once the end of its answer is written: nghttp2 writes a reset before the end of a stream
 * that waits, and then the client has an answer that was cut.
 */
function askToStop(stream: ServerHttp2Stream, clock: Clock): void {
  const look = (turns: number): void => {
    if (stream.destroyed || stream.closed) return;
    if (stream.state.localClose === 1) stream.close(constants.NGHTTP2_NO_ERROR);
    else if (turns > 0) setImmediate(look, turns - 1);
    else clock.after(LOOK_AGAIN_MS, () => look(0));
  };
  stream.once('finish', () => look(END_TURNS));
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
