import type { StreamError } from '../errors.ts';
import type { Budget } from '../flow/budget.ts';
import type { GrowthFacts } from '../flow/receive-window.ts';
import type { EncodedFrame } from '../wire/encode.ts';
import type { RawHeaders, ResponseHead } from '../wire/head.ts';

/** What the owner of a stream hears. Nothing is called after onClose. */
export interface StreamEvents {
  /** A response head; 1xx may come several times before the final one. Gateway only. */
  onHead?(head: ResponseHead): void;
  /** Body bytes, a view into the message. Credit goes back when the owner calls `stream.consume`. */
  onData(chunk: Uint8Array): void;
  /** The peer's half ended cleanly. */
  onEnd(trailers: RawHeaders): void;
  /** The stream was reset, refused, or its session lost. */
  onError(error: StreamError): void;
  /** `write` may be called again after it returned false. */
  onDrain(): void;
  /** Once, last: both halves are done, one way or the other. */
  onClose(): void;
}

/** What a stream needs from its session. `Owner` is the stream itself. */
export interface StreamPort<Owner> {
  readonly budget: Budget;
  growthFacts(): GrowthFacts;
  /** A deadline in the session's heap; the returned function cancels. It never fires after the session ended. */
  after(delayMs: number, run: () => void): () => void;
  wake(stream: Owner): void;
  credit(streamId: number, bytes: number): void;
  /** The peer gave the stream credit; false: more than a window can hold. */
  credited(stream: Owner, bytes: number): boolean;
  control(frame: EncodedFrame): void;
  /** Both halves are done: the session forgets this very object. */
  forget(stream: Owner): void;
}
