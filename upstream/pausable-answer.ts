import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import type { Dispatcher } from 'undici';
import type { ResponseFlow } from './upstream-request.ts';

/** undici says here on which connection it writes a request: after `onRequestStart`, in the same call. */
const WRITING = 'undici:client:sendHeaders';
/** Any code but ECONNRESET. */
const CUT = 'ERR_ANSWER_CUT';

/**
 * The flow of one answer, which may be paused when its connection ends.
 *
 * undici 7 then takes it for cut off, even if its last byte has come. And if it says `Connection: close`, undici throws where
 * nobody can catch it (nodejs/undici#5360). So when its connection ends, an answer is read on: what can come now has come.
 * A reset, on the other hand, undici takes for the end of an answer that has no length: a cut body would look whole.
 */
export class PausableAnswer implements ResponseFlow {
  readonly #controller: Dispatcher.DispatchController;
  #socket: Socket | undefined;
  #isPaused = false;
  #hasEnded = false;

  constructor(controller: Dispatcher.DispatchController) {
    this.#controller = controller;
  }

  pause(): void {
    if (this.#hasEnded) return;
    this.#isPaused = true;
    this.#controller.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#controller.resume();
  }

  /** Hears of the connection's end before undici does. */
  runOn(socket: Socket): void {
    this.#socket = socket;
    socket.prependListener('end', this.#onEnd);
    socket.prependListener('error', this.#onError);
  }

  /** The connection is another answer's now, or gone. */
  leave(): void {
    this.#socket?.off('end', this.#onEnd).off('error', this.#onError);
  }

  readonly #onEnd = (): void => {
    this.#hasEnded = true;
    if (this.#isPaused) this.resume();
  };

  readonly #onError = (error: NodeJS.ErrnoException): void => {
    if (error.code === 'ECONNRESET') error.code = CUT;
  };
}

/** Tells answers which connections they come on. */
export class AnswerConnections {
  #starting: PausableAnswer | undefined;

  constructor() {
    subscribe(WRITING, this.#onWriting);
  }

  /** Called in `onRequestStart`. */
  starts(answer: PausableAnswer): void {
    this.#starting = answer;
  }

  close(): void {
    unsubscribe(WRITING, this.#onWriting);
  }

  readonly #onWriting = (message: unknown): void => {
    this.#starting?.runOn((message as { readonly socket: Socket }).socket);
    this.#starting = undefined;
  };
}
