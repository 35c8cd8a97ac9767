import type { CircuitBreakerSettings } from '../../../crds/circuit-breaker.ts';
import { TunnelError } from '../front/tunnel-error.ts';
import { type Circuit, type Moment, retryAfterSeconds } from './circuit.ts';

/** A request before it goes. */
export interface Passer {
  readonly tunnel: string;
  readonly path: string;
  readonly isWatch: boolean;
  /** A read without a body and with an end: it may try whether the way holds again. */
  readonly mayProbe: boolean;
}

/** What a request is told that may not go. Nothing of it was sent. */
export function refusalOf(
  circuit: Circuit,
  settings: CircuitBreakerSettings,
  { tunnel, path, isWatch }: Passer,
  { nowMs, random }: Moment,
): TunnelError {
  const message = `requests through tunnel "${tunnel}" failed too often and are not tried for a moment; the last: ${circuit.cause}`;
  if (!isWatch) {
    const seconds = retryAfterSeconds(circuit, settings, nowMs);
    return new TunnelError('circuit_open', message, { tunnel, path, retryAfterSeconds: seconds });
  }
  // As of a tunnel that is away: informers need no new list after a 429, and come back spread.
  const seconds = 2 + Math.floor(random * 7);
  return new TunnelError('circuit_open_watch', message, { tunnel, path, retryAfterSeconds: seconds });
}
