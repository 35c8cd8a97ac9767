/** The HEALTH document: what an agent knows of its upstream and of itself. Receivers ignore fields they do not know. */
export interface HealthReport {
  /** Whether the API server answered: a probe, or a user's request just now. */
  readonly k8sHealthy: boolean;
  /** CamelCase: Healthy, Unreachable, Timeout, CredentialRefused, NotReady, Forbidden… */
  readonly reason: string;
  /** One sentence for people. */
  readonly message: string;
  /** gitVersion, such as v1.34.1; empty while unknown. */
  readonly kubernetesVersion: string;
  /** Of the last probe, in milliseconds. */
  readonly latencyMs: number;
  /** Resident memory of the agent, in bytes. */
  readonly memoryBytes: number;
  /** Of it what its JavaScript objects take, in bytes; 0 from an agent of before this member. */
  readonly heapBytes: number;
  /** What the agent may still write on its root file system, in bytes; undefined: an older agent, or a system that does not say. */
  readonly freeDiskBytes: number | undefined;
  /** 99th percentile of how late the event loop ran since the last report, in milliseconds. */
  readonly loopDelayMs: number;
  /** Requests at the API server now, both pools. */
  readonly inFlight: number;
  /** Requests in the agent's own queue. */
  readonly queued: number;
  /** Exchanges that failed at the API server since the agent started. */
  readonly upstreamErrors: number;
}

/** An agent says at least this often that nothing changed. Evidence is old only beyond it. */
export const REPORT_EVERY_MS = 60_000;

/** Longest text of a report, in characters. */
export const MAX_HEALTH_TEXT = 512;

/** What a condition's reason may be, without its rarer signs. Source: metav1.Condition. */
const REASON = /^[A-Za-z][A-Za-z0-9]{0,127}$/;

/** The document as received. A member that is missing or of the wrong type reads as empty: health never ends a session. */
export function parseHealthReport(document: unknown): HealthReport {
  const from = typeof document === 'object' && document !== null ? (document as Record<string, unknown>) : {};
  const text = (name: string) => {
    const value = from[name];
    return typeof value === 'string' ? value.slice(0, MAX_HEALTH_TEXT) : '';
  };
  const known = (name: string) => {
    const value = from[name];
    return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
  };
  const count = (name: string) => known(name) ?? 0;
  return {
    k8sHealthy: from['k8sHealthy'] === true,
    reason: REASON.test(text('reason')) ? text('reason') : 'Unknown',
    message: text('message'),
    kubernetesVersion: text('kubernetesVersion'),
    latencyMs: count('latencyMs'),
    memoryBytes: count('memoryBytes'),
    heapBytes: count('heapBytes'),
    freeDiskBytes: known('freeDiskBytes'),
    loopDelayMs: count('loopDelayMs'),
    inFlight: count('inFlight'),
    queued: count('queued'),
    upstreamErrors: count('upstreamErrors'),
  };
}
