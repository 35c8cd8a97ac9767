import { describeError } from '../../../process/redact.ts';
import { traceLines } from '../../../process/trace.ts';
import type { StreamError } from '../../../tunnel/errors.ts';
import { redirectedBelow, redirectTrouble } from '../../../tunnel/redirect.ts';
import { crossing, headerTrouble } from '../../../tunnel/request-headers.ts';
import type { RequestStream } from '../../../tunnel/session/inflated-stream.ts';
import type { StreamEvents } from '../../../tunnel/session/stream.ts';
import { ErrorCode } from '../../../tunnel/wire/codes.ts';
import type { RawHeaders, ResponseHead } from '../../../tunnel/wire/head.ts';
import {
  cut,
  discardBody,
  endAnswer,
  flushHead,
  sendContinue,
  sendTrailers,
  writeBody,
  writeHead,
} from '../front/answer.ts';
import type { FaultKind } from '../front/fault.ts';
import { tunnelPath } from '../front/route.ts';
import { TunnelError } from '../front/tunnel-error.ts';
import { type AnswerBody, answerBody, answerHeaders, answerTrailers, NO_BODY } from './answer-body.ts';
import type { ExchangeOptions, ExchangeOutcome } from './exchange-options.ts';
import { guarded } from './guarded.ts';
import { pumpBody } from './request-body.ts';
import { overdue, strangeAnswer, tunnelErrorOf } from './stream-fault.ts';
import type { UntilKnown } from './unsettled.ts';
import { viaOf } from './via.ts';
import { endsCleanly, watchEndsAfterMs } from './watch-end.ts';

/**
 * One client request ↔ one stream.
 *
 *   client ── body ──►  stream.write, false → pause until drain
 *   client ◄── body ──  response.write; credit goes back when it returned true, or on drain
 *   client gone ──►  RESET(Cancel)          stream error ──►  Status before the head, a cut after it (a watch: clean end)
 */
export class Exchange {
  readonly #options: ExchangeOptions;
  #stream: RequestStream | undefined;
  #status: number | undefined;
  /** When the head came. */
  #headMs = 0;
  #body: AnswerBody = NO_BODY;
  #bytesIn = 0;
  #bytesOut = 0;
  /** Bytes handed to the response that it has not taken: credit for them waits for drain. */
  #owedBytes = 0;
  #isDone = false;
  #cancelTimer: () => void = () => {};

  constructor(options: ExchangeOptions) {
    this.#options = options;
    options.response.on('drain', () => this.#settle());
    options.response.on('close', () => this.#clientGone());
    options.response.on('error', () => {
      // Written to while it was being destroyed: 'close' says the rest.
    });
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  /** The request was admitted: bytes flow from here on. `timeoutMs` undefined: no deadline. */
  start(stream: RequestStream, untilKnown: UntilKnown | undefined, timeoutMs: number | undefined): void {
    this.#stream = stream;
    stream.attach(this.#events(untilKnown));
    if (timeoutMs !== undefined) this.#cancelTimer = stream.after(timeoutMs, () => this.#expire(timeoutMs));
    if (this.#options.hasBody) this.#pumpBody(stream);
  }

  /** Ends the exchange before it had a stream. */
  refuse(error: TunnelError): void {
    this.#finish(error);
    this.#options.onError(error);
  }

  /** The client may not go on. A watch ends cleanly: its next one is told why. */
  revoke(error: TunnelError): void {
    if (this.#isDone) return;
    if (this.#options.isWatch && this.#status === 200) this.#endWatch(error, 0);
    else this.#giveUp(error);
    this.#stream?.reset(ErrorCode.Cancel, error.message);
  }

  #events(untilKnown: UntilKnown | undefined): StreamEvents {
    const { request, response } = this.#options;
    const onThrow = (error: unknown) => {
      this.#stream?.reset(ErrorCode.Internal);
      this.#finish(`the answer could not be written: ${describeError(error)}`);
      cut(response);
    };
    return {
      onHead: guarded((head: ResponseHead) => this.#head(head), onThrow),
      onData: guarded((chunk: Uint8Array) => this.#data(chunk), onThrow),
      onEnd: guarded((trailers: RawHeaders) => this.#end(trailers), onThrow),
      onError: (error) => this.#streamFailed(error, untilKnown),
      onDrain: () => request.resume(),
      onClose: () => {},
    };
  }

  #pumpBody(stream: RequestStream): void {
    const { request, response } = this.#options;
    sendContinue({ request, response });
    pumpBody(request, stream, {
      onBytes: (count) => {
        this.#bytesIn += count;
      },
      onEnd: (trailers) => this.#endBody(stream, trailers),
      onBreak: () => stream.reset(ErrorCode.Cancel, 'the client broke off its body'),
    });
  }

  #endBody(stream: RequestStream, trailers: RawHeaders): void {
    const trouble = headerTrouble(trailers);
    if (trouble === undefined) return stream.end(crossing(trailers));
    if (this.#isDone) return;
    stream.reset(ErrorCode.Cancel, 'the trailers of the request may not pass');
    const kind = trouble.status === 431 ? 'headers_too_large' : 'bad_request';
    this.#giveUp(this.#error(kind, `trailers: ${trouble.message}`));
  }

  #head(head: ResponseHead): void {
    const { response, method, trace, sent, clock } = this.#options;
    const { status } = head;
    if (status < 200 || this.#isDone) return;
    if (this.#status !== undefined) return this.#broken('a second head');
    const trouble =
      headerTrouble(head.headers)?.message ?? redirectTrouble({ method, path: sent.path, isUpgrade: false }, head);
    if (trouble !== undefined) return this.#broken(trouble);
    const headers = redirectedBelow(tunnelPath(sent.tunnel), head);
    this.#status = status;
    this.#headMs = clock.nowMs();
    this.#body = answerBody(method, status, headers);
    writeHead(response, status, [...answerHeaders(status, headers), ...viaOf(sent), ...traceLines(trace)]);
    // A head alone must not wait for its body (watches); with DATA in the same message it goes out in one write.
    queueMicrotask(() => {
      if (this.#bytesOut === 0 && !this.#isDone && !response.destroyed) flushHead(response);
    });
  }

  #data(chunk: Uint8Array): void {
    const { response } = this.#options;
    if (this.#isDone) return;
    if (this.#status === undefined) return this.#broken('body bytes before its head');
    if (!this.#body.isSent) return this.#stream?.consume(chunk.length);
    const { mostBytes } = this.#body;
    if (this.#bytesOut + chunk.length > mostBytes) return this.#broken(`more body than its ${mostBytes} bytes`);
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
    const { request, response, hasBody, clock } = this.#options;
    if (this.#isDone) return;
    if (this.#status === undefined) return this.#broken('an end before its head');
    const trouble = headerTrouble(trailers);
    if (trouble !== undefined) return this.#broken(`trailers that may not pass: ${trouble.message}`);
    const { leastBytes } = this.#body;
    if (this.#bytesOut < leastBytes) return this.#broken(`${this.#bytesOut} of its ${leastBytes} bytes of body`);
    sendTrailers(response, answerTrailers(trailers));
    endAnswer(response, clock);
    this.#finish(undefined);
    if (!hasBody || request.complete) return;
    this.#stream?.reset(ErrorCode.None, 'the answer is complete');
    discardBody(request, response, clock);
  }

  /** The target or its agent sent what is no HTTP answer: none of it may reach the client as one. */
  #broken(what: string): void {
    this.#stream?.reset(ErrorCode.UpstreamProtocol, what);
    this.#giveUp(strangeAnswer(this.#options.sent, `it had ${what}`));
  }

  #expire(timeoutMs: number): void {
    if (this.#isDone) return;
    const error = overdue(this.#options.sent, timeoutMs);
    this.#stream?.reset(ErrorCode.Deadline, error.message);
    this.#giveUp(error);
  }

  /** Nothing can be handed over any more: what was is gone, and its credit goes back. */
  #clientGone(): void {
    this.#settle();
    this.#cancelTimer();
    if (this.#isDone) return;
    this.#finish('cancelled');
    this.#stream?.reset(ErrorCode.Cancel);
  }

  /** The client of a write hears a little later, if it may then hear for certain that nothing ran. */
  #streamFailed(error: StreamError, untilKnown: UntilKnown | undefined): void {
    const cancelWait = untilKnown?.(error, (known) => this.#fail(known));
    if (cancelWait === undefined) this.#fail(error);
    else this.#cancelTimer = cancelWait;
  }

  #fail(error: StreamError): void {
    if (this.#isDone) return;
    const { sent, isWatch, hasBody, again, random } = this.#options;
    if (this.#status === undefined && !hasBody) {
      this.#cancelTimer();
      if (again(error)) return;
    }
    const failure = tunnelErrorOf(error, sent);
    const isWhole = this.#status === 200 && this.#bytesOut >= this.#body.leastBytes;
    if (!isWatch || !isWhole || !endsCleanly(error.code)) return this.#giveUp(failure);
    this.#endWatch(failure, random());
  }

  #endWatch(error: TunnelError, spread: number): void {
    const { response, clock } = this.#options;
    const watch = { ageMs: clock.nowMs() - this.#headMs, hasEvents: this.#bytesOut > 0 };
    this.#finish(error);
    const afterMs = watchEndsAfterMs(watch, spread);
    if (afterMs === 0) endAnswer(response, clock);
    else this.#cancelTimer = clock.after(afterMs, () => endAnswer(response, clock));
  }

  /** What went wrong here while the request may have been running at the target. */
  #error(kind: FaultKind, message: string): TunnelError {
    const { tunnel, path, isRead } = this.#options.sent;
    return new TunnelError(kind, message, { tunnel, path, retryable: isRead });
  }

  #giveUp(error: TunnelError): void {
    this.#finish(error);
    if (this.#status === undefined) this.#options.onError(error);
    else cut(this.#options.response);
  }

  #finish(error: ExchangeOutcome['error']): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#cancelTimer();
    this.#options.onDone({ status: this.#status, bytesIn: this.#bytesIn, bytesOut: this.#bytesOut, error });
  }
}
