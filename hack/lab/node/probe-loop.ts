import type { Probe } from '../api/pod.ts';
import { pause } from '../pause.ts';
import { check, type ProbeTarget } from './probe-check.ts';
import { ProbeState } from './probe-state.ts';

const EAGER_READINESS_MS = 300;

/** What the container's keeper wants to know. */
export interface ProbeListener {
  started(): void;
  ready(isReady: boolean): void;
  /** Startup or liveness gave up: the container is to be restarted. */
  failed(probe: 'Startup' | 'Liveness', problem: string): void;
  /** Any failed answer, for an Event. */
  unhealthy(probe: 'Startup' | 'Readiness' | 'Liveness', problem: string): void;
}

/** Probes one run of a container until `signal` aborts. Without probes it is started and ready at once. */
export async function probeContainer(target: ProbeTarget, listener: ProbeListener, signal: AbortSignal): Promise<void> {
  const { startupProbe, readinessProbe, livenessProbe } = target.container;
  if (startupProbe && !(await hasStarted(startupProbe, target, listener, signal))) return;
  if (signal.aborted) return;
  listener.started();
  if (readinessProbe === undefined) listener.ready(true);
  await Promise.all([
    readinessProbe && watchReadiness(readinessProbe, target, listener, signal),
    livenessProbe && watchLiveness(livenessProbe, target, listener, signal),
  ]);
}

async function hasStarted(
  probe: Probe,
  target: ProbeTarget,
  listener: ProbeListener,
  signal: AbortSignal,
): Promise<boolean> {
  const state = new ProbeState(probe);
  for await (const problem of answers(probe, target, signal)) {
    if (problem !== undefined) listener.unhealthy('Startup', problem);
    const verdict = state.record(problem === undefined);
    if (verdict === 'passing') return true;
    if (verdict === 'failing') {
      listener.failed('Startup', problem ?? '');
      return false;
    }
  }
  return false;
}

async function watchReadiness(
  probe: Probe,
  target: ProbeTarget,
  listener: ProbeListener,
  signal: AbortSignal,
): Promise<void> {
  const state = new ProbeState(probe);
  for await (const problem of answers(probe, target, signal, EAGER_READINESS_MS)) {
    if (problem !== undefined) listener.unhealthy('Readiness', problem);
    const verdict = state.record(problem === undefined);
    if (verdict !== undefined) listener.ready(verdict === 'passing');
  }
}

async function watchLiveness(
  probe: Probe,
  target: ProbeTarget,
  listener: ProbeListener,
  signal: AbortSignal,
): Promise<void> {
  const state = new ProbeState(probe);
  for await (const problem of answers(probe, target, signal)) {
    if (problem !== undefined) listener.unhealthy('Liveness', problem);
    if (state.record(problem === undefined) === 'failing') {
      listener.failed('Liveness', problem ?? '');
      return;
    }
  }
}

/**
 * One answer per period, for as long as the container runs. Until the first good one `eagerMs` may be shorter than
 * the period: nothing but waiting depends on the readiness of a container that never was ready.
 */
async function* answers(
  probe: Probe,
  target: ProbeTarget,
  signal: AbortSignal,
  eagerMs = Number.POSITIVE_INFINITY,
): AsyncGenerator<string | undefined> {
  const periodMs = (probe.periodSeconds ?? 10) * 1000;
  let isEager = true;
  await pause((probe.initialDelaySeconds ?? 0) * 1000, signal);
  while (!signal.aborted) {
    const problem = await check(probe, target);
    if (signal.aborted) return;
    if (problem === undefined) isEager = false;
    yield problem;
    await pause(isEager ? Math.min(periodMs, eagerMs) : periodMs, signal);
  }
}
