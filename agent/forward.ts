import type { AgentSettings } from '../crds/agent-settings.ts';
import type { Clock } from '../process/clock.ts';
import { describeError } from '../process/redact.ts';
import type { StreamError } from '../tunnel/errors.ts';
import { crossing, headerTrouble } from '../tunnel/request-headers.ts';
import type { Stream, StreamEvents } from '../tunnel/session/stream.ts';
import { ErrorCode } from '../tunnel/wire/codes.ts';
import type { Identity, RawHeaders, RequestHead } from '../tunnel/wire/head.ts';
import { outgoingHeaders } from './outgoing-headers.ts';
import { RequestBody } from './request-body.ts';
import { StallWatch } from './stall-watch.ts';
import type { ResponseFlow, Upstream } from './upstream.ts';
import { upstreamTrouble } from './upstream-trouble.ts';

/** What all exchanges share. */
export interface ForwardContext {
  readonly upstream: Upstream;
  /** The agent's own token. Rejects when there is none to read. */
  readonly token: () => Promise<string>;
  /** The API server answered 401: the token may have rotated. */
  readonly onUnauthorized: () => void;
  readonly clock: Clock;
  readonly timeouts: () => AgentSettings['timeouts'];
}

/** How an exchange went. */
export interface ExchangeEnd {
  /** None: the whole answer was handed over. Cancel, SessionLost: nobody waits for it any more. */
  readonly code: number;
  readonly detail: string;
  /** Of the API server's answer; undefined when there was no head. */
  readonly status: number | undefined;
  /** Body bytes from the client and to it. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface ExchangeOptions {
  readonly stream: Stream;
  readonly head: RequestHead;
  /** Complete: policy.ts said so. */
  readonly identity: Identity;
  readonly context: ForwardContext;
  /** Once: nothing of this request is left at the API server, or nothing ever was. */
  readonly onGone: (end: ExchangeEnd) => void;
}

/**
 * One stream and one upstream exchange.
 *
 *   attached ── start() ── dispatched ── onStart: sent ── head ── data… ── end ── gone
 *   stream closed before `dispatched`: gone at once; after: aborted, and gone when the connection is closed
 *
 * The stream lives on after `gone` until its peer has taken the answer.
 */
export class Exchange implements StreamEvents {
  readonly #options: ExchangeOptions;
  readonly #abort = new AbortController();
  readonly #body: RequestBody;
  readonly #stall: StallWatch;
  readonly #cancelDeadline: () => void;
  #flow: ResponseFlow | undefined;
  #isDispatched = false;
  #isSent = false;
  /** The upstream said its last word. */
  #isOver = false;
  #isGone = false;
  #isBlocked = false;
  #status: number | undefined;
  #bytesIn = 0;
  #bytesOut = 0;
  #end: { code: number; detail: string } = { code: ErrorCode.None, detail: '' };

  /** Attaches to the stream: must be made before the stream's first frame is delivered. */
  constructor(options: ExchangeOptions) {
    const { stream, head, context } = options;
    this.#options = options;
    this.#body = new RequestBody((bytes) => stream.consume(bytes));
    const { requestMs, backpressureMs } = context.timeouts();
    this.#stall = new StallWatch({
      clock: context.clock,
      stallMs: backpressureMs,
      movedBytes: () => this.#bytesOut - stream.outbox.queuedBytes,
      isWaiting: () => !stream.isClosed && (this.#isOver || this.#isBlocked),
      onStalled: () => this.#stalled(),
    });
    const deadlineMs = deadlineOf(head, requestMs);
    this.#cancelDeadline =
      deadlineMs === undefined
        ? () => {}
        : context.clock.after(deadlineMs, () =>
            this.#giveUp(ErrorCode.Deadline, `the request did not complete within ${deadlineMs} ms`),
          );
    stream.attach(this);
  }

  /** A worker is free: sends the request. Never rejects. */
  async start(): Promise<void> {
    const { stream, head, identity, context } = this.#options;
    let token: string;
    try {
      token = await context.token();
    } catch (error) {
      const detail = `the agent has no credential for its API server: ${describeError(error)}`;
      return this.#giveUp(ErrorCode.UpstreamUnreachable, detail);
    }
    if (stream.isClosed) return this.#finish();
    this.#isDispatched = true;
    const request = {
      method: head.method,
      path: head.path,
      headers: outgoingHeaders(head, identity, token),
      body: this.#body.isEmpty ? undefined : this.#body,
      headersTimeoutMs: context.timeouts().upstreamHeadersMs,
    };
    const events = {
      onStart: (flow: ResponseFlow) => {
        this.#isSent = true;
        this.#flow = flow;
      },
      onHead: (status: number, headers: RawHeaders) => this.#head(status, headers),
      onData: (chunk: Uint8Array) => this.#data(chunk),
      onEnd: (trailers: RawHeaders) => this.#ended(trailers),
      onError: (error: Error) => this.#failed(error),
    };
    context.upstream.exchange(request, events, this.#abort.signal);
  }

  /** Ends the exchange before it was sent. */
  refuse(code: ErrorCode, detail: string): void {
    this.#giveUp(code, detail);
  }

  onData(chunk: Uint8Array): void {
    this.#bytesIn += chunk.length;
    this.#body.push(chunk);
  }

  onEnd(): void {
    this.#body.end();
  }

  onError(error: StreamError): void {
    this.#note(error.code, error.detail);
  }

  onDrain(): void {
    this.#isBlocked = false;
    this.#flow?.resume();
  }

  /** The stream is done. What still runs upstream runs for nobody. */
  onClose(): void {
    this.#cancelDeadline();
    this.#stall.disarm();
    if (this.#isOver) return;
    if (!this.#isDispatched) return this.#finish();
    this.#abort.abort(new Error('nobody waits for the answer any more'));
  }

  #head(status: number, headers: RawHeaders): void {
    this.#status = status;
    if (status === 401) this.#options.context.onUnauthorized();
    const trouble = answerTrouble(status, headers);
    if (trouble !== undefined) return this.#giveUp(ErrorCode.UpstreamProtocol, trouble);
    this.#options.stream.sendHead({ status, headers: crossing(headers) });
  }

  #data(chunk: Uint8Array): void {
    this.#bytesOut += chunk.length;
    if (this.#options.stream.write(chunk)) return;
    this.#isBlocked = true;
    this.#flow?.pause();
    if (!this.#options.head.isLongRunning) this.#stall.arm();
  }

  #ended(trailers: RawHeaders): void {
    const { stream } = this.#options;
    this.#isOver = true;
    if (headerTrouble(trailers) === undefined) stream.end(crossing(trailers));
    else stream.reset(ErrorCode.UpstreamProtocol, 'the API server sent trailers that may not pass');
    this.#finish();
    if (!stream.isClosed) this.#stall.arm();
  }

  #failed(error: Error): void {
    const { stream, context } = this.#options;
    this.#isOver = true;
    if (!stream.isClosed) {
      const trouble = upstreamTrouble({ error, isSent: this.#isSent, url: context.upstream.url });
      this.#note(trouble.code, trouble.detail);
      if (trouble.isUnsent) stream.refuse(trouble.code, trouble.detail);
      else stream.reset(trouble.code, trouble.detail);
    }
    this.#body.discard(error);
    // The connection is destroyed; its descriptor is closed within this turn of the event loop.
    setImmediate(() => this.#finish());
  }

  /** The peer takes nothing. After the end of the answer it may just not end its own half. */
  #stalled(): void {
    const { stream, head } = this.#options;
    if (stream.outbox.isEmpty) return stream.reset(ErrorCode.None, 'the answer is complete');
    if (!head.isLongRunning) this.#giveUp(ErrorCode.Backpressure, 'nobody read the answer');
  }

  /** Our own decision to end the stream; its close aborts what runs upstream. */
  #giveUp(code: ErrorCode, detail: string): void {
    const { stream } = this.#options;
    this.#note(code, detail);
    if (this.#isSent) stream.reset(code, detail);
    else stream.refuse(code, detail);
  }

  #note(code: number, detail: string): void {
    if (this.#end.code === ErrorCode.None) this.#end = { code, detail };
  }

  #finish(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#isOver = true;
    this.#body.discard(new Error('the exchange is over'));
    this.#options.onGone({
      ...this.#end,
      status: this.#status,
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
    });
  }
}

/** What the gateway left of the client's time, but no more than an ordinary request may take here. */
function deadlineOf({ deadlineMs, isLongRunning }: RequestHead, requestMs: number): number | undefined {
  if (isLongRunning) return deadlineMs === 0 ? undefined : deadlineMs;
  return deadlineMs === 0 ? requestMs : Math.min(deadlineMs, requestMs);
}

/** Why an answer may not pass; undefined when it may. */
function answerTrouble(status: number, headers: RawHeaders): string | undefined {
  if (status > 599) return `the API server answered with status ${status}`;
  const isRedirect = status >= 300 && status < 400;
  if (isRedirect && headers.some((text, at) => at % 2 === 0 && text.toLowerCase() === 'location')) {
    return `the API server answered ${status} with a Location, and redirects are neither followed nor passed on`;
  }
  return headerTrouble(headers)?.message;
}
