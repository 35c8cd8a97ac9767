import type { Clock } from '../../../process/clock.ts';
import type { StreamError } from '../../../tunnel/errors.ts';
import { crossing } from '../../../tunnel/request-headers.ts';
import type { Stream, StreamEvents } from '../../../tunnel/session/stream.ts';
import { ErrorCode } from '../../../tunnel/wire/codes.ts';
import type { RawHeaders, ResponseHead } from '../../../tunnel/wire/head.ts';
import { type ClientRequest, type ClientResponse, cut, flushHead, sendTrailers, writeBody, writeHead } from '../front/answer.ts';
import { type Fault, fault, lostKind } from '../front/fault.ts';

/** Watches that lose their session end within this time, not all at once: their clients come back at once. */
const WATCH_END_SPREAD_MS = 1_000;

export interface ExchangeOptions {
  readonly request: ClientRequest;
  readonly response: ClientResponse;
  readonly method: string;
  readonly tunnel: string;
  readonly traceId: string;
  readonly isWatch: boolean;
  readonly hasBody: boolean;
  readonly clock: Clock;
  readonly random: () => number;
  /** Nothing was sent to the client yet: answer with this. */
  readonly onFault: (fault: Fault) => void;
  /** Once: how it ended, for the audit line. */
  readonly onDone: (outcome: ExchangeOutcome) => void;
}

export interface ExchangeOutcome {
  /** Of the response head that went out; undefined when none did. */
  readonly status: number | undefined;
  readonly bytesOut: number;
  /** undefined: a clean end. */
  readonly error: string | undefined;
}

/**
 * One client request ↔ one stream.
 *
 *   client ── body ──►  stream.write, false → pause until drain
 *   client ◄── body ──  response.write; credit goes back when it returned true, or on drain
 *   client gone ──►  RESET(Cancel)          stream error ──►  Status before the head, a cut after it (a watch: clean end)
 */
export class Exchange {
  readonly #options: ExchangeOptions;
  #stream: Stream | undefined;
  #status: number | undefined;
  #bytesOut = 0;
  /** Bytes handed to the response that it has not taken: credit for them waits for drain. */
  #owedBytes = 0;
  #isDone = false;
  #cancelTimer: () => void = () => {};

  constructor(options: ExchangeOptions) {
    this.#options = options;
    options.response.on('drain', () => this.#settle());
    options.response.on('close', () => this.#clientGone());
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  /** The request was admitted: bytes flow from here on. `timeoutMs` undefined: no deadline. */
  start(stream: Stream, timeoutMs: number | undefined): void {
    this.#stream = stream;
    stream.attach(this.#events());
    if (timeoutMs !== undefined)
      this.#cancelTimer = this.#options.clock.after(timeoutMs, () => this.#expire(timeoutMs));
    if (this.#options.hasBody) this.#pumpBody(stream);
  }

  /** Ends the exchange before it had a stream. */
  refuse(answer: Fault): void {
    this.#finish(answer.code);
    this.#options.onFault(answer);
  }

  #events(): StreamEvents {
    const { request } = this.#options;
    return {
      onHead: (head) => this.#head(head),
      onData: (chunk) => this.#data(chunk),
      onEnd: (trailers) => this.#end(trailers),
      onError: (error) => this.#fail(error),
      onDrain: () => request.resume(),
      onClose: () => {},
    };
  }

  #pumpBody(stream: Stream): void {
    const { request } = this.#options;
    request.on('data', (chunk: Buffer) => {
      if (!stream.write(chunk)) request.pause();
    });
    request.on('end', () => stream.end(crossing(request.rawTrailers ?? [])));
    request.on('error', () => stream.reset(ErrorCode.Cancel, 'the client broke off its body'));
  }

  #head({ status, headers }: ResponseHead): void {
    const { response, traceId } = this.#options;
    if (status < 200 || response.headersSent || response.destroyed) return;
    this.#status = status;
    writeHead(response, status, [...crossing(headers), 'x-trace-id', traceId]);
    // A head alone must not wait for its body (watches); with DATA in the same message it goes out in one write.
    queueMicrotask(() => {
      if (this.#bytesOut === 0 && !this.#isDone && !response.destroyed) flushHead(response);
    });
  }

  #data(chunk: Uint8Array): void {
    const { response } = this.#options;
    this.#owedBytes += chunk.length;
    this.#bytesOut += chunk.length;
    if (writeBody(response, chunk)) this.#settle();
  }

  /** The client took what was handed over: its credit goes back. */
  #settle(): void {
    const bytes = this.#owedBytes;
    this.#owedBytes = 0;
    if (bytes > 0) this.#stream?.consume(bytes);
  }

  #end(trailers: RawHeaders): void {
    const { response } = this.#options;
    const fields = crossing(trailers);
    if (fields.length > 0) sendTrailers(response, fields);
    response.end();
    this.#finish(undefined);
  }

  #expire(timeoutMs: number): void {
    if (this.#isDone) return;
    const message = `the request did not complete within ${Math.round(timeoutMs / 1000)} s`;
    this.#stream?.reset(ErrorCode.Deadline, message);
    this.#giveUp(fault('request_timeout', message), message);
  }

  /** Nothing can be handed over any more: what was is gone, and its credit goes back. */
  #clientGone(): void {
    this.#settle();
    if (this.#isDone) return;
    this.#finish('cancelled');
    this.#stream?.reset(ErrorCode.Cancel);
  }

  #fail(error: StreamError): void {
    if (this.#isDone) return;
    const { response, isWatch, clock, random } = this.#options;
    const mayEndCleanly = isWatch && this.#status !== undefined && error.code === ErrorCode.SessionLost;
    if (!mayEndCleanly) return this.#giveUp(faultOf(error, this.#options), error.message);
    this.#finish(error.message);
    clock.after(random() * WATCH_END_SPREAD_MS, () => response.end());
  }

  #giveUp(answer: Fault, error: string): void {
    this.#finish(error);
    if (this.#status === undefined) this.#options.onFault(answer);
    else cut(this.#options.response);
  }

  #finish(error: string | undefined): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#cancelTimer();
    this.#options.onDone({ status: this.#status, bytesOut: this.#bytesOut, error });
  }
}

/** What the end of a stream means to a client that has seen no head. */
export function faultOf(error: StreamError, { tunnel, method }: Pick<ExchangeOptions, 'tunnel' | 'method'>): Fault {
  const cause = error.detail === '' ? error.message : error.detail;
  switch (error.code) {
    case ErrorCode.UpstreamUnreachable:
      return fault('upstream_unreachable', `the agent of tunnel "${tunnel}" cannot reach the API server: ${cause}`);
    case ErrorCode.PolicyDenied:
      return fault('policy_denied', `the agent of tunnel "${tunnel}" refused the request: ${cause}`);
    case ErrorCode.UpstreamTimeout:
      return fault('upstream_timeout', `the API server behind tunnel "${tunnel}" did not answer in time: ${cause}`);
    case ErrorCode.UpstreamProtocol:
      return fault(
        'upstream_protocol',
        `the API server behind tunnel "${tunnel}" gave an answer that may not pass: ${cause}`,
      );
    case ErrorCode.Deadline:
      return fault('request_timeout', cause);
  }
  if (error.execution === 'not-executed') {
    return fault('not_executed', `tunnel "${tunnel}" did not execute the request: ${cause}`);
  }
  const kind = lostKind({ method });
  const doubt = kind === 'session_lost_write' ? '; the request may have been executed' : '';
  return fault(kind, `tunnel "${tunnel}" was lost while the request ran${doubt}: ${cause}`);
}
