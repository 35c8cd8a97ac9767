import type { StreamError } from '../../../tunnel/errors.ts';
import type { RequestStream } from '../../../tunnel/session/inflated-stream.ts';

/** How a request went: an answer began, an error came before any, or the gateway gave it up before either. */
export type Outcome = 'answered' | 'given up' | StreamError;

/** Is told once how a request went; `status` of the first head of an answer. */
export type Hear = (outcome: Outcome, status?: number) => void;

/** A request's stream; each of `hears` is told once how it went, before its owner is. */
export function overheard(stream: RequestStream, hears: readonly Hear[]): RequestStream {
  let isTold = false;
  const tell: Hear = (outcome, status) => {
    if (isTold) return;
    isTold = true;
    for (const hear of hears) hear(outcome, status);
  };
  return {
    attach: (owner) =>
      stream.attach({
        onHead: (head) => {
          tell('answered', head.status);
          owner.onHead?.(head);
        },
        onData: (chunk) => owner.onData(chunk),
        onEnd: (trailers) => owner.onEnd(trailers),
        onError: (error) => {
          tell(error);
          owner.onError(error);
        },
        onDrain: () => owner.onDrain(),
        onClose: () => {
          tell('given up');
          owner.onClose();
        },
      }),
    write: (chunk) => stream.write(chunk),
    end: (trailers) => stream.end(trailers),
    consume: (bytes) => stream.consume(bytes),
    reset: (code, detail) => stream.reset(code, detail),
    after: (delayMs, run) => stream.after(delayMs, run),
  };
}
