import { ErrorCode, nameOf } from './wire/codes.ts';

/** Ends the whole session: GOAWAY with `code`, then the transport closes. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly code: ErrorCode;

  constructor(message: string, code: ErrorCode = ErrorCode.Protocol, options?: ErrorOptions) {
    super(`${nameOf(code)}: ${message}`, options);
    this.code = code;
  }
}

/** What is known about a request whose stream ended with an error. Unknown is never taken for unseen. */
export type Execution =
  /** Certainly never reached the upstream: REFUSED, its OPEN never written, or never seen by the word of the agent. */
  | 'not-executed'
  /** It may have been executed. */
  | 'unknown';

export interface StreamErrorFacts {
  readonly streamId: number;
  readonly code: number;
  /** Who decided: 'local' if this process reset the stream, 'remote' if the peer did. */
  readonly origin: 'local' | 'remote';
  readonly execution: Execution;
  /** One sentence for people; may name the upstream's trouble. */
  readonly detail: string;
}

/** Ends one stream; the session and its other streams live on. */
export class StreamError extends Error {
  override readonly name = 'StreamError';
  readonly streamId: number;
  readonly code: number;
  readonly origin: 'local' | 'remote';
  readonly execution: Execution;
  readonly detail: string;

  constructor({ streamId, code, origin, execution, detail }: StreamErrorFacts, options?: ErrorOptions) {
    super(detail === '' ? nameOf(code) : `${nameOf(code)}: ${detail}`, options);
    this.streamId = streamId;
    this.code = code;
    this.origin = origin;
    this.execution = execution;
    this.detail = detail;
  }
}
