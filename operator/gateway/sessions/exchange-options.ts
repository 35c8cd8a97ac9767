import type { Clock } from '../../../process/clock.ts';
import type { Trace } from '../../../process/trace.ts';
import type { StreamError } from '../../../tunnel/errors.ts';
import type { ClientRequest, ClientResponse } from '../front/answer.ts';
import type { TunnelError } from '../front/tunnel-error.ts';
import type { Sent } from './stream-fault.ts';

/** One request that was let in, and what its owner wants to hear. */
export interface ExchangeOptions {
  readonly request: ClientRequest;
  readonly response: ClientResponse;
  readonly method: string;
  readonly sent: Sent;
  readonly trace: Trace;
  readonly isWatch: boolean;
  readonly hasBody: boolean;
  readonly clock: Clock;
  readonly random: () => number;
  /** Nothing of an answer came, and no byte of a body is lost: true if it is sent again, then `start` is called with another stream. */
  readonly again: (error: StreamError) => boolean;
  /** Nothing was sent to the client yet: answer with this. */
  readonly onError: (error: TunnelError) => void;
  /** Once: how it ended, for the audit line. */
  readonly onDone: (outcome: ExchangeOutcome) => void;
}

export interface ExchangeOutcome {
  /** Of the response head that went out; undefined when none did. */
  readonly status: number | undefined;
  /** Body bytes of the client, and to it. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** undefined: a clean end. A text: the client went away, or the answer could not be written. */
  readonly error: TunnelError | string | undefined;
}
