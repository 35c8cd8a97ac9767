import type { RequestStream } from '../../../tunnel/session/inflated-stream.ts';
import type { RawHeaders } from '../../../tunnel/wire/head.ts';
import type { ClientRequest } from '../front/answer.ts';

export interface BodyEvents {
  readonly onBytes: (count: number) => void;
  /** All of it was read. */
  readonly onEnd: (trailers: RawHeaders) => void;
  /** The client went away in the middle. */
  readonly onBreak: () => void;
}

/** client ── body ──► stream.write, false → pause until the stream drains. */
export function pumpBody(request: ClientRequest, stream: RequestStream, { onBytes, onEnd, onBreak }: BodyEvents): void {
  request.on('data', (chunk: Buffer) => {
    onBytes(chunk.length);
    if (!stream.write(chunk)) request.pause();
  });
  // HTTP/2 through Node says 'end' after a reset too: a cut body must not look whole.
  request.on('end', () => (request.aborted ? onBreak() : onEnd(request.rawTrailers ?? [])));
  request.on('aborted', onBreak);
  request.on('error', onBreak);
}
