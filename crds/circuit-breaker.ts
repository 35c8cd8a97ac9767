import type { Spec } from './types.ts';
import { measured } from './validate.ts';

/** When a gateway stops sending requests into a tunnel, and for how long. */
export interface CircuitBreakerSettings {
  readonly failureThreshold: number;
  readonly windowMs: number;
  /** The first time; twice as long each time that a probe fails. */
  readonly openMs: number;
  readonly maxOpenMs: number;
}

/** What a spec says that says nothing. */
export const DEFAULT_CIRCUIT_BREAKER: CircuitBreakerSettings = {
  failureThreshold: 5,
  windowMs: 10_000,
  openMs: 5_000,
  maxOpenMs: 300_000,
};

/** What gateways keep to for a tunnel with this spec. */
export function circuitBreakerSettings({ circuitBreaker }: Pick<Spec, 'circuitBreaker'>): CircuitBreakerSettings {
  const { failureThreshold, window, openDuration, maxOpenDuration } = circuitBreaker;
  const ms = (text: string) => measured('duration', text);
  return { failureThreshold, windowMs: ms(window), openMs: ms(openDuration), maxOpenMs: ms(maxOpenDuration) };
}
