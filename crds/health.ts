import type { Spec } from './types.ts';
import { measured } from './validate.ts';

/** How a gateway watches the way to a tunnel's API server. */
export interface HealthSettings {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** So many looks in a row without a success are news. */
  readonly failureThreshold: number;
}

/** What gateways keep to for a tunnel with this spec. */
export function healthSettings({ health }: Pick<Spec, 'health'>): HealthSettings {
  const { interval, timeout, failureThreshold } = health;
  const ms = (text: string) => measured('duration', text);
  return { intervalMs: ms(interval), timeoutMs: ms(timeout), failureThreshold };
}
