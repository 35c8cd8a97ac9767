import { describeError } from '../../../process/redact.ts';
import type { StreamError } from '../../../tunnel/errors.ts';
import { redirectTrouble } from '../../../tunnel/redirect.ts';
import { headerOf, headerTrouble } from '../../../tunnel/request-headers.ts';
import type { RequestStream } from '../../../tunnel/session/inflated-stream.ts';
import type { StreamEvents } from '../../../tunnel/session/stream.ts';
import { ErrorCode } from '../../../tunnel/wire/codes.ts';
import type { RawHeaders, ResponseHead } from '../../../tunnel/wire/head.ts';
import { rawHead } from '../front/raw-head.ts';
import type { TunnelError } from '../front/tunnel-error.ts';
import { takeWithinMs } from '../front/untaken.ts';
import { switchesTo } from '../front/upgrade-request.ts';
import { type AnswerBody, answerBody, answerHeaders, NO_BODY } from './answer-body.ts';
import type { ExchangeOutcome } from './exchange-options.ts';
import { guarded } from './guarded.ts';
import { strangeAnswer, tunnelErrorOf } from './stream-fault.ts';
import type { UntilKnown } from './unsettled.ts';
import type { UpgradeOptions } from './upgrade-options.ts';
import { viaOf } from './via.ts';

const SWITCHING_PROTOCOLS = 101;
/** What follows a head 101, both ways: bytes, as many as come. */
const RAW: AnswerBody = { isSent: true, leastBytes: 0, mostBytes: Number.POSITIVE_INFINITY };

/**
 * One upgrade ↔ one stream: exec, attach, port-forward and `…/proxy/…`.
 *
 *   waiting ── head 101 ──► raw: bytes both ways under credit, each way ends by itself (FIN ↔ END)
 *           ── other head ► an ordinary answer, then the connection ends
 *           ── error ─────► Status
 *   client gone ──► RESET(Cancel)          stream error after the head ──► the connection is cut
 *
 * Until the head 101 is out the client's bytes stay in its socket.
 */
export class Upgrade {
  readonly #options: UpgradeOptions;
  #stream: RequestStream | undefined;
  #status: number | undefined;
  #body: AnswerBody = NO_BODY;
  /** An answer that does not say how long it is: only its last chunk makes it whole. */
  #isChunked = false;
  #bytesIn = 0;
  #bytesOut = 0;
  /** Bytes handed to the socket that it has not taken: credit for them waits for drain. */
  #owedBytes = 0;
  #hasClientEnded = false;
  #hasTargetEnded = false;
  #isDone = false;
  #cancelTimer: () => void = () => {};

  constructor(options: UpgradeOptions) {
    this.#options = options;
    options.socket.on('drain', () => this.#settle());
    options.socket.once('close', () => this.#clientGone());
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  /** The request was admitted. */
  start(stream: RequestStream, untilKnown: UntilKnown | undefined): void {
    this.#stream = stream;
    stream.attach(this.#events(untilKnown));
  }

  /** Ends it before it had a stream. */
  refuse(error: TunnelError): void {
    this.#finish(error);
    this.#options.onError(error);
  }

  /** The client may not go on. */
  revoke(error: TunnelError): void {
    if (this.#isDone) return;
    this.#giveUp(error);
    this.#stream?.reset(ErrorCode.Cancel, error.message);
  }

  #events(untilKnown: UntilKnown | undefined): StreamEvents {
    const onThrow = (error: unknown) => {
      this.#stream?.reset(ErrorCode.Internal);
      this.#cut(`the answer could not be written: ${describeError(error)}`);
    };
    return {
      onHead: guarded((head: ResponseHead) => this.#head(head), onThrow),
      onData: guarded((chunk: Uint8Array) => this.#data(chunk), onThrow),
      onEnd: guarded(() => this.#end(), onThrow),
      onError: (error) => this.#streamFailed(error, untilKnown),
      onDrain: () => this.#options.socket.resume(),
      onClose: () => {},
    };
  }

  #head({ status, headers }: ResponseHead): void {
    const isSwitch = status === SWITCHING_PROTOCOLS;
    if (this.#isDone || (status < 200 && !isSwitch)) return;
    const asked = { method: this.#options.method, path: this.#options.sent.path, isUpgrade: true };
    const trouble = headerTrouble(headers)?.message ?? redirectTrouble(asked, { status, headers });
    if (trouble !== undefined) return this.#broken(trouble);
    if (!isSwitch) return this.#answer(status, headers);
    if (!switchesTo(headers, this.#options.protocol)) return this.#broken('another protocol than was asked for');
    this.#switch(headers);
  }

  #switch(headers: RawHeaders): void {
    const { socket, protocol, trace } = this.#options;
    this.#body = RAW;
    const own = ['Upgrade', protocol, 'Connection', 'Upgrade', 'X-Trace-ID', trace.id, 'traceparent', trace.parent];
    this.#sendHead(SWITCHING_PROTOCOLS, [...answerHeaders(SWITCHING_PROTOCOLS, headers), ...own]);
    socket.allowHalfOpen = true;
    socket.on('end', () => this.#clientEnded());
    socket.on('data', (chunk: Buffer) => {
      this.#bytesIn += chunk.length;
      if (this.#stream?.write(chunk) === false) socket.pause();
    });
  }

  /** No upgrade: what the client still sends is for nobody. */
  #answer(status: number, headers: RawHeaders): void {
    const { socket, method, trace } = this.#options;
    this.#body = answerBody(method, status, headers);
    this.#isChunked = this.#body.isSent && headerOf(headers, 'content-length') === undefined;
    const framing = this.#isChunked ? ['Transfer-Encoding', 'chunked'] : [];
    const own = [...framing, 'Connection', 'close', 'X-Trace-ID', trace.id, 'traceparent', trace.parent];
    this.#sendHead(status, [...answerHeaders(status, headers), ...own]);
    socket.resume();
    this.#stream?.end();
  }

  #sendHead(status: number, headers: RawHeaders): void {
    this.#status = status;
    this.#options.socket.write(rawHead(status, [...headers, ...viaOf(this.#options.sent)]));
  }

  #data(chunk: Uint8Array): void {
    if (this.#isDone) return;
    if (!this.#body.isSent) return this.#stream?.consume(chunk.length);
    const { mostBytes } = this.#body;
    if (this.#bytesOut + chunk.length > mostBytes) return this.#broken(`more body than its ${mostBytes} bytes`);
    this.#owedBytes += chunk.length;
    this.#bytesOut += chunk.length;
    if (this.#write(chunk)) this.#settle();
  }

  /** False: the client has not taken it yet; wait for drain. */
  #write(chunk: Uint8Array): boolean {
    const { socket } = this.#options;
    if (!this.#isChunked) return socket.write(chunk);
    socket.cork();
    socket.write(`${chunk.length.toString(16)}\r\n`);
    socket.write(chunk);
    const isTaken = socket.write('\r\n');
    socket.uncork();
    return isTaken;
  }

  /** The client took what was handed over: its credit goes back. */
  #settle(): void {
    const bytes = this.#owedBytes;
    this.#owedBytes = 0;
    if (bytes > 0) this.#stream?.consume(bytes);
  }

  #end(): void {
    const { socket } = this.#options;
    if (this.#isDone) return;
    if (this.#body === RAW) {
      this.#hasTargetEnded = true;
      socket.end();
      return this.#hasClientEnded ? this.#over() : this.#awaitLastWord();
    }
    const { leastBytes } = this.#body;
    if (this.#bytesOut < leastBytes) return this.#broken(`${this.#bytesOut} of its ${leastBytes} bytes of body`);
    if (this.#isChunked) socket.write('0\r\n\r\n');
    socket.end(() => socket.destroy());
    this.#over();
  }

  #clientEnded(): void {
    this.#hasClientEnded = true;
    this.#stream?.end();
    if (this.#hasTargetEnded) this.#over();
  }

  /** Both have said everything: the client may take the rest, but not for ever. */
  #over(): void {
    const { socket, clock } = this.#options;
    this.#finish(undefined);
    this.#cancelTimer = clock.after(takeWithinMs(socket.writableLength), () => socket.destroy());
  }

  /** Nothing will be said to the client any more. It may finish, but not just stay. */
  #awaitLastWord(): void {
    const { socket, clock } = this.#options;
    const saidBytes = this.#bytesIn;
    this.#cancelTimer = clock.after(takeWithinMs(socket.writableLength), () => {
      if (this.#bytesIn > saidBytes) return this.#awaitLastWord();
      this.#stream?.reset(ErrorCode.Cancel, 'the client did not end its half');
      this.#cut('the client did not end its half');
    });
  }

  /** The target or its agent sent what is no answer to an upgrade: none of it may reach the client as one. */
  #broken(what: string): void {
    this.#stream?.reset(ErrorCode.UpstreamProtocol, what);
    this.#giveUp(strangeAnswer(this.#options.sent, `it had ${what}`));
  }

  /** Nothing can be handed over any more: what was is gone, and its credit goes back. */
  #clientGone(): void {
    this.#settle();
    this.#cancelTimer();
    if (this.#isDone) return;
    this.#finish('cancelled');
    this.#stream?.reset(ErrorCode.Cancel);
  }

  /** The client hears a little later, if it may then hear for certain that no command ran. */
  #streamFailed(error: StreamError, untilKnown: UntilKnown | undefined): void {
    const cancelWait = untilKnown?.(error, (known) => this.#fail(known));
    if (cancelWait === undefined) this.#fail(error);
    else this.#cancelTimer = cancelWait;
  }

  #fail(error: StreamError): void {
    if (!this.#isDone) this.#giveUp(tunnelErrorOf(error, this.#options.sent));
  }

  #giveUp(error: TunnelError): void {
    if (this.#status !== undefined) return this.#cut(error);
    this.#finish(error);
    this.#options.onError(error);
  }

  /** The client must see an error, never a clean end. */
  #cut(error: ExchangeOutcome['error']): void {
    this.#finish(error);
    this.#options.socket.destroy();
  }

  #finish(error: ExchangeOutcome['error']): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#cancelTimer();
    this.#options.onDone({ status: this.#status, bytesIn: this.#bytesIn, bytesOut: this.#bytesOut, error });
  }
}
