import type { CircuitBreakerSettings } from '../../../crds/circuit-breaker.ts';
import { advance, type CircuitEvent, type CircuitState } from './circuit-state.ts';

/** An opening lasts this much longer or shorter: not all gateways and tunnels probe at once. */
const JITTER_SHARE = 0.1;

/** A request that did not get through. */
export interface Failure {
  /** Monotonic. */
  readonly atMs: number;
  /** Of the session that it was lost with; undefined when its session lives. */
  readonly lostSession: string | undefined;
  /** In words, for people. */
  readonly detail: string;
}

/** One tunnel's circuit. A value: what happens makes a new one. */
export interface Circuit {
  readonly state: CircuitState;
  /** In a row and recent, oldest first; while closed. */
  readonly failures: readonly Failure[];
  /** In a row: since it was last closed. */
  readonly openings: number;
  readonly openedAtMs: number;
  /** 0 to 1, of this opening. */
  readonly random: number;
  /** What opened it, in words. */
  readonly cause: string;
}

/** Nothing failed. */
export const CLOSED: Circuit = { state: 'closed', failures: [], openings: 0, openedAtMs: 0, random: 0, cause: '' };

/** A moment: the time (monotonic) and dice for what begins then. */
export interface Moment {
  readonly nowMs: number;
  readonly random: number;
}

/** After a failure. Only while it is closed that counts; all that a session took with it count as one. */
export function failed(circuit: Circuit, failure: Failure, settings: CircuitBreakerSettings, moment: Moment): Circuit {
  if (circuit.state !== 'closed') return circuit;
  const { lostSession, atMs } = failure;
  const isKnown = lostSession !== undefined && circuit.failures.some((each) => each.lostSession === lostSession);
  if (isKnown) return circuit;
  const recent = circuit.failures.filter((each) => atMs - each.atMs < settings.windowMs);
  const failures = [...recent, failure];
  if (failures.length < settings.failureThreshold) return { ...circuit, failures };
  return opened({ ...circuit, cause: failure.detail }, 'tripped', moment);
}

/** After a request that got through: failures before it do not count any more. */
export function reached(circuit: Circuit): Circuit {
  return circuit.state === 'closed' ? CLOSED : circuit;
}

/** One that was open for long enough, by what the spec says now, lets a probe pass. */
export function elapsed(circuit: Circuit, settings: CircuitBreakerSettings, nowMs: number): Circuit {
  if (circuit.state !== 'open' || nowMs < openUntilMs(circuit, settings)) return circuit;
  return moved(circuit, 'elapsed');
}

/** The one request that may go. */
export function probeBegan(circuit: Circuit): Circuit {
  return moved(circuit, 'probeBegan');
}

/** What the probe told: success closes, failure opens for twice as long, nothing lets another one go. */
export function probeEnded(
  circuit: Circuit,
  event: 'probeSucceeded' | 'probeFailed' | 'probeVanished',
  moment: Moment,
): Circuit {
  if (circuit.state !== 'probing') return circuit;
  if (event === 'probeSucceeded') return CLOSED;
  return event === 'probeFailed' ? opened(circuit, event, moment) : moved(circuit, event);
}

/** Until when an open circuit lets nobody pass, monotonic. */
export function openUntilMs({ openedAtMs, openings, random }: Circuit, settings: CircuitBreakerSettings): number {
  const { openMs, maxOpenMs } = settings;
  const plainMs = Math.min(maxOpenMs, openMs * 2 ** Math.min(Math.max(openings - 1, 0), 30));
  return openedAtMs + Math.min(maxOpenMs, plainMs * (1 - JITTER_SHARE + 2 * JITTER_SHARE * random));
}

/** Whole seconds until somebody may try again; never 0. */
export function retryAfterSeconds(circuit: Circuit, settings: CircuitBreakerSettings, nowMs: number): number {
  if (circuit.state !== 'open') return 1;
  return Math.max(1, Math.ceil((openUntilMs(circuit, settings) - nowMs) / 1_000));
}

function opened(circuit: Circuit, event: 'tripped' | 'probeFailed', { nowMs, random }: Moment): Circuit {
  const { state } = moved(circuit, event);
  return { ...circuit, state, failures: [], openings: circuit.openings + 1, openedAtMs: nowMs, random };
}

/** @throws Error for an event that cannot happen: a bug. */
function moved(circuit: Circuit, event: CircuitEvent): Circuit {
  const state = advance(circuit.state, event);
  if (state === undefined) throw new Error(`circuit: ${event} while ${circuit.state}`);
  return { ...circuit, state };
}
