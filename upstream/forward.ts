import { describeError } from '../process/redact.ts';
import type { StreamError } from '../tunnel/errors.ts';
import type { Timer } from '../tunnel/flow/timer.ts';
import { crossing, headerTrouble } from '../tunnel/request-headers.ts';
import type { DeflatedBody } from '../tunnel/session/deflated-body.ts';
import type { StreamEvents } from '../tunnel/session/stream.ts';
import { ErrorCode } from '../tunnel/wire/codes.ts';
import type { RawHeaders, ResponseHead } from '../tunnel/wire/head.ts';
import { answerHead, isBackendAsked, isSwitch } from './answer-head.ts';
import type { ExchangeOptions } from './exchange-options.ts';
import { outgoingHeaders } from './outgoing-headers.ts';
import { RequestBody } from './request-body.ts';
import { requestDeadline } from './request-deadline.ts';
import { StallWatch, type StallWatchOptions } from './stall-watch.ts';
import type { ResponseFlow, UpstreamEvents } from './upstream-request.ts';
import { upstreamTrouble } from './upstream-trouble.ts';

/**
 * One stream and one upstream exchange, upgraded or not.
 *
 *   attached ── start() ── dispatched ── onStart: sent ── head ── data… ── end ── gone
 *   stream closed before `dispatched`: gone at once; after: aborted, and gone when the connection is closed
 *
 * The stream lives on after `gone` until its peer has taken the answer. After a 101 either direction may end first, and
 * the client's last bytes may outlive the stream on their way to the API server.
 */
export class Exchange implements StreamEvents {
  readonly #options: ExchangeOptions;
  readonly #abort = new AbortController();
  readonly #body: RequestBody;
  /** Over whoever is waited for: the gateway, then the upstream. */
  #stall: StallWatch;
  #cancelDeadline: () => void = () => {};
  #flow: ResponseFlow | undefined;
  /** In front of the stream, if the answer goes deflated. */
  #deflated: DeflatedBody | undefined;
  #isDispatched = false;
  #isSent = false;
  /** The upstream said its last word. */
  #isOver = false;
  /** The client did. */
  #isBodyWhole = false;
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
    const clock = { nowMs: () => context.clock.nowMs(), after: stream.after.bind(stream) };
    this.#stall = this.#watch(clock, {
      movedBytes: () => this.#bytesOut - stream.outbox.queuedBytes,
      isWaiting: () => !stream.isClosed && (this.#isOver || this.#isBlocked),
      onStalled: () => this.#stalled(),
    });
    const deadlineMs = requestDeadline(head, context.timeouts().requestMs);
    if (deadlineMs !== undefined) this.#cancelDeadline = stream.after(deadlineMs, () => this.#late(deadlineMs));
    stream.attach(this);
  }

  /** A worker is free: sends the request. Never rejects. */
  async start(): Promise<void> {
    const { stream, head, trace, identity, context } = this.#options;
    let token: string | undefined;
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
      headers: outgoingHeaders(head, identity, token, trace),
      headersTimeoutMs: context.timeouts().upstreamHeadersMs,
    };
    const [body, events, { signal }] = [this.#body, this.#events(), this.#abort];
    if (head.isUpgrade) context.upstream.upgrade({ ...request, body }, events, signal);
    else context.upstream.exchange({ ...request, body: body.isEmpty ? undefined : body }, events, signal);
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
    this.#isBodyWhole = true;
    this.#body.end();
  }

  onError(error: StreamError): void {
    this.#note(error.code, error.detail);
  }

  onDrain(): void {
    if (this.#deflated === undefined) this.#unblock();
    else this.#deflated.resume();
  }

  /** The stream is done. What still runs upstream runs for nobody. */
  onClose(): void {
    this.#deflated?.close();
    this.#cancelDeadline();
    this.#stall.disarm();
    if (this.#isGone) return;
    if (!this.#isDispatched) return this.#finish();
    const abort = () => this.#abort.abort(new Error('nobody waits for the answer any more'));
    if (!this.#isOver || !this.#isBodyWhole) return abort();
    // Both ends said all they had to, and the upstream still has to take some of it; the session may end before it has.
    this.#stall = this.#watch(this.#options.context.clock, {
      movedBytes: () => this.#bytesIn - this.#body.owedBytes,
      isWaiting: () => !this.#isGone,
      onStalled: abort,
    });
    this.#stall.arm();
  }

  #watch(clock: Timer, watched: Pick<StallWatchOptions, 'movedBytes' | 'isWaiting' | 'onStalled'>): StallWatch {
    return new StallWatch({ clock, stallMs: this.#options.context.timeouts().backpressureMs, ...watched });
  }

  #events(): UpstreamEvents {
    return {
      onStart: (flow) => {
        this.#isSent = true;
        this.#flow = flow;
      },
      onHead: (status, headers) => this.#head({ status, headers }),
      onData: (chunk) => this.#data(chunk),
      onEnd: (trailers) => this.#ended(trailers),
      onError: (error) => this.#failed(error),
      onGone: () => this.#gone(),
    };
  }

  #head(answer: ResponseHead): void {
    const { stream, head, context } = this.#options;
    this.#status = answer.status;
    if (answer.status === 401) {
      context.onUnauthorized();
      if (!isBackendAsked(head)) return this.#credentialRefused();
    }
    const passing = answerHead(head, answer);
    if (typeof passing === 'string') return this.#giveUp(ErrorCode.UpstreamProtocol, passing);
    this.#deflated = this.#options.deflate(passing, { onDrain: () => this.#unblock() });
    stream.sendHead(this.#deflated === undefined ? passing : { ...passing, isDeflated: true });
    if (isSwitch(answer)) this.#cancelDeadline();
  }

  /** It is not the user who logs in: a client that saw this 401 would throw its own good token away. Nothing was executed. */
  #credentialRefused(): void {
    const detail = `it does not accept ${this.#options.context.credential} (401)`;
    this.#note(ErrorCode.UpstreamUnreachable, detail);
    this.#options.stream.refuse(ErrorCode.UpstreamUnreachable, detail);
  }

  #data(chunk: Uint8Array): void {
    const { stream, head } = this.#options;
    this.#bytesOut += chunk.length;
    if ((this.#deflated ?? stream).write(chunk)) return;
    this.#isBlocked = true;
    this.#flow?.pause();
    if (!head.isLongRunning) this.#stall.arm();
  }

  #unblock(): void {
    this.#isBlocked = false;
    this.#flow?.resume();
  }

  #ended(trailers: RawHeaders): void {
    const { stream } = this.#options;
    this.#isOver = true;
    if (headerTrouble(trailers) === undefined) (this.#deflated ?? stream).end(crossing(trailers));
    else stream.reset(ErrorCode.UpstreamProtocol, 'the API server sent trailers that may not pass');
  }

  #gone(): void {
    this.#finish();
    if (!this.#options.stream.isClosed) this.#stall.arm();
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
  }

  #late(deadlineMs: number): void {
    this.#giveUp(ErrorCode.Deadline, `the request did not complete within ${deadlineMs / 1000} s`);
  }

  /** The peer takes nothing. After the end of the answer it may just not end its own half. */
  #stalled(): void {
    const { stream, head } = this.#options;
    // It is zlib that has not come to it.
    if (stream.outbox.isEmpty && this.#deflated?.isDone === false) return;
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
    if (this.#options.stream.isClosed) this.#stall.disarm();
    this.#body.discard(new Error('the exchange is over'));
    this.#options.onGone({
      ...this.#end,
      status: this.#status,
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
    });
  }
}
