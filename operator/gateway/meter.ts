import type { RequestInfo } from '../../tunnel/request-info.ts';

/** What the gateway measures while it happens; all else is read when somebody asks. */
export interface GatewayMeter {
  /** A greeted session ended, by this code of the wire. */
  sessionEnded(code: number, durationMs: number): void;
  /** A request has stopped to wait for a worker of this tunnel, one way or the other. */
  waited(tunnel: string, waitedMs: number): void;
  /** A request that was let in is over. */
  requestEnded(request: EndedRequest): void;
}

/** A request that was let in, and how it went. */
export interface EndedRequest {
  readonly info: RequestInfo;
  /** Below /clusters/<tunnel>, without the query. */
  readonly path: string;
  readonly isLongRunning: boolean;
  /** Of the target's answer; undefined: none came. */
  readonly status: number | undefined;
  readonly durationMs: number;
  /** Why its answer broke off after it had begun, as a cause code; undefined: it did not. */
  readonly cutBy: string | undefined;
}

/** Measures nothing. */
export const NO_METER: GatewayMeter = { sessionEnded() {}, waited() {}, requestEnded() {} };
