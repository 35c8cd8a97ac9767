import type { ContainerStatus, Pod, PodStatus, RestartPolicy } from '../api/pod.ts';

/** Everything the status of a pod follows from. */
export interface PodObservation {
  readonly pod: Pod;
  readonly podIP: string;
  readonly hostIP: string;
  readonly startTime: string;
  readonly initContainers: readonly ContainerStatus[];
  readonly containers: readonly ContainerStatus[];
  /** RFC 3339, for conditions that change. */
  readonly now: string;
}

/** A condition as a patch writes it: null takes a field away. */
interface PatchedCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string | null;
  readonly message: string | null;
  readonly lastTransitionTime: string;
}

/** What the node writes. */
export interface WrittenStatus extends Omit<PodStatus, 'conditions'> {
  readonly conditions: readonly PatchedCondition[];
  readonly hostIP: string;
  readonly hostIPs: readonly { readonly ip: string }[];
  readonly podIPs: readonly { readonly ip: string }[];
  readonly containerStatuses: readonly ContainerStatus[];
}

/** The pod's status as the kubelet would write it; conditions that stay keep their transition time. */
export function podStatus(seen: PodObservation): WrittenStatus {
  const { pod, podIP, hostIP, startTime, initContainers, containers } = seen;
  return {
    phase: phaseOf(containers, initContainers, pod.spec.restartPolicy ?? 'Always'),
    hostIP,
    hostIPs: [{ ip: hostIP }],
    podIP,
    podIPs: [{ ip: podIP }],
    startTime,
    conditions: conditionsOf(seen),
    ...(initContainers.length > 0 && { initContainerStatuses: initContainers }),
    containerStatuses: containers,
  };
}

/** Pending until all init containers succeeded and a container ran; then by how the containers ended. */
export function phaseOf(
  containers: readonly ContainerStatus[],
  initContainers: readonly ContainerStatus[],
  restartPolicy: RestartPolicy,
): 'Pending' | 'Running' | 'Succeeded' | 'Failed' {
  if (initContainers.some(hasFailedForGood(restartPolicy))) return 'Failed';
  if (!initContainers.every(hasSucceeded)) return 'Pending';
  if (containers.every(({ state, lastState }) => state.waiting && !lastState.terminated)) return 'Pending';
  if (restartPolicy === 'Always' || !containers.every(({ state }) => state.terminated)) return 'Running';
  if (containers.every(hasSucceeded)) return 'Succeeded';
  return restartPolicy === 'Never' ? 'Failed' : 'Running';
}

function hasSucceeded({ state }: ContainerStatus): boolean {
  return state.terminated?.exitCode === 0;
}

function hasFailedForGood(restartPolicy: RestartPolicy): (status: ContainerStatus) => boolean {
  return ({ state }) => restartPolicy === 'Never' && (state.terminated?.exitCode ?? 0) !== 0;
}

function conditionsOf({ pod, initContainers, containers, now }: PodObservation): PatchedCondition[] {
  const notInitialized = initContainers.filter((status) => !hasSucceeded(status)).map(({ name }) => name);
  const notReady = containers.filter(({ ready }) => !ready).map(({ name }) => name);
  const known = pod.status?.conditions ?? [];
  const gates = (pod.spec.readinessGates ?? [])
    .map(({ conditionType }) => conditionType)
    .filter((type) => known.find((condition) => condition.type === type)?.status !== 'True');
  const isOver = containers.length > 0 && containers.every(({ state }) => state.terminated);
  const containersReady = verdict('ContainersNotReady', 'containers with unready status', notReady, isOver);
  const verdicts = {
    Initialized: verdict('ContainersNotInitialized', 'containers with incomplete status', notInitialized, false),
    ContainersReady: containersReady,
    Ready:
      containersReady.status === 'False'
        ? containersReady
        : verdict('ReadinessGatesNotReady', 'readiness gates', gates, false),
  };
  return Object.entries(verdicts).map(([type, wanted]) => {
    const before = known.find((condition) => condition.type === type);
    const lastTransitionTime = before?.status === wanted.status ? before.lastTransitionTime : now;
    // A patch merges conditions by type: what a condition no longer says must be taken back.
    return { type, reason: null, message: null, ...wanted, lastTransitionTime: lastTransitionTime ?? now };
  });
}

interface Verdict {
  readonly status: 'True' | 'False';
  readonly reason?: string;
  readonly message?: string;
}

const TRUE: Verdict = { status: 'True' };

function verdict(reason: string, what: string, names: readonly string[], isOver: boolean): Verdict {
  if (names.length === 0) return TRUE;
  if (isOver) return { status: 'False', reason: 'PodCompleted' };
  return { status: 'False', reason, message: `${what}: [${names.join(' ')}]` };
}

/** Whether the API server shows `wanted` already: every field of it, whatever else there is. */
export function showsAlready(shown: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) {
    if (!Array.isArray(shown)) return wanted.length === 0;
    if (isConditions(wanted))
      return wanted.every((one) =>
        showsAlready(
          shown.find((other) => other?.type === one.type),
          one,
        ),
      );
    return shown.length === wanted.length && wanted.every((one, index) => showsAlready(shown[index], one));
  }
  if (typeof wanted === 'object' && wanted !== null) {
    const known = (shown ?? {}) as Readonly<Record<string, unknown>>;
    const hasStaleState = STATES.some((state) => known[state] !== undefined && !(state in wanted));
    return !hasStaleState && Object.entries(wanted).every(([key, value]) => showsAlready(known[key], value));
  }
  return (shown ?? undefined) === (wanted ?? undefined);
}

/** A container has one state; another one that is still shown must go. */
const STATES = ['waiting', 'running', 'terminated'] as const;

function isConditions(list: readonly { readonly type?: string }[]): boolean {
  return list.every((item) => typeof item === 'object' && item !== null && 'type' in item && 'status' in item);
}
