import type { Attempt } from '../history.ts';

/** A request on its way out. */
export interface Call {
  readonly method: string;
  readonly path: string;
  /** The bearer token: who asks. */
  readonly user: string;
  /** Sent one after the other, with a pause before each but the first; none: no body. */
  readonly parts: readonly Buffer[];
  readonly pauseMs: number;
  /** Says beforehand how long the body is. */
  readonly isSized: boolean;
  /** Where in the pattern the answer begins. */
  readonly answerOffset: number;
  /** How fast its client takes the answer, in bytes; as fast as it comes unless told. */
  readonly bytesPerSecond?: number;
  /** The head of the answer has come. */
  readonly onHead?: () => void;
}

/** What came of it. */
export type Seen = Pick<
  Attempt,
  'end' | 'status' | 'contentType' | 'retryAfter' | 'answers' | 'text' | 'receivedBytes' | 'isIntact'
>;

/** Why its client gave up. */
export type GivenUp = 'left' | 'hung';

/** One client's way to the gateway: connections that come again after they broke. */
export interface Door {
  readonly protocol: Attempt['protocol'];
  /** Never rejects. Aborting `signal` with a GivenUp as its reason ends it so. */
  ask(call: Call, signal: AbortSignal): Promise<Seen>;
  close(): void;
}

export function headersOf({ user, parts, isSized }: Call): Record<string, string> {
  const bytes = parts.reduce((sum, { length }) => sum + length, 0);
  return {
    authorization: `Bearer ${user}`,
    ...(parts.length === 0 ? {} : { 'content-type': 'application/octet-stream' }),
    ...(parts.length > 0 && isSized ? { 'content-length': String(bytes) } : {}),
  };
}
