import type { Spec } from '../../../crds/types.ts';
import type { DeploymentObject } from '../objects/deployment.ts';
import type { Failure } from './failure.ts';

/** What a gateway saw go along the way of users to the API server. */
interface WayFacts {
  readonly state: 'unseen' | 'open' | 'failing' | 'saturated';
  /** When it was last seen so. Monotonic. */
  readonly atMs: number;
  /** Of the last failure, in words. */
  readonly detail: string;
}

/** What the gateways know about a tunnel. */
export interface SessionFacts {
  readonly liveSessions: number;
  /** Gateway replicas that hold at least one of them. */
  readonly gateways: number;
  readonly agents: readonly { readonly instanceId: string; readonly version: string }[];
  /** The gateways started lately: sessions of before may be on their way back until then. Monotonic. */
  readonly settlingUntilMs?: number | undefined;
  readonly lastDisconnect?: { readonly time: string; readonly reason: string } | undefined;
  /** Requests are refused at once after repeated failures; the last, in words. */
  readonly circuit?: { readonly cause: string } | undefined;
  /** How requests may go while the tunnel cannot carry them; undefined: they may not. */
  readonly fallback?:
    | {
        /** URL of the API server; undefined: `refused` says why there is none. */
        readonly server: string | undefined;
        readonly refused:
          | { readonly reason: 'KubeconfigMissing' | 'KubeconfigRefused'; readonly message: string }
          | undefined;
        /** Why it cannot be reached, or not always. */
        readonly trouble: string | undefined;
      }
    | undefined;
  /** When any agent was last heard of at all, by whatever it sent. Monotonic; undefined: not known. */
  readonly heardAtMs?: number | undefined;
  /** What went along the way of users lately; undefined: nothing is known. */
  readonly way?: WayFacts | undefined;
  /** The agent with the least free disk; undefined: none says. */
  readonly freeDisk?: { readonly agent: string; readonly bytes: number } | undefined;
  /** The newest evidence about the API server behind the tunnel, by the agents. */
  readonly upstream?:
    | {
        readonly healthy: boolean;
        readonly reason: string;
        readonly message: string;
        readonly kubernetesVersion?: string | undefined;
        /** Monotonic, of the same clock that the controller has. */
        readonly observedAtMs: number;
      }
    | undefined;
}

/** The agent Deployment as far as decisions need it. */
export interface DeploymentFacts {
  readonly desired: number;
  readonly updated: number;
  readonly ready: number;
  readonly available: number;
  /** The Deployment controller has not yet looked at the newest template. */
  readonly isStale: boolean;
  /** Why pods cannot be made or do not become ready, in the cluster's words. */
  readonly trouble: string | undefined;
}

/** Everything the conditions are decided from, gathered before deciding. */
export interface Observation {
  readonly name: string;
  readonly generation: number;
  readonly endpoint: string;
  readonly specErrors: readonly string[];
  /** Undefined when the spec has errors. */
  readonly spec: Spec | undefined;
  /** A valid key is known: an agent can log in. */
  readonly hasKey: boolean;
  readonly failure: Failure | undefined;
  /** As last seen, whatever failed since; undefined when nothing was ever seen of it. */
  readonly deployment: DeploymentFacts | undefined;
  readonly sessions: SessionFacts;
  /** Connected changed too often lately to be told each time. */
  readonly isFlapping?: boolean;
  readonly nowMs: number;
  /** How old the newest evidence about the API server may be. */
  readonly evidenceMaxAgeMs: number;
}

/** Pods of an agent, as far as they tell why it is not ready. */
export interface AgentPod {
  readonly metadata: { readonly name: string };
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message?: string }[];
    readonly containerStatuses?: readonly {
      readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
      readonly lastState?: { readonly terminated?: { readonly exitCode?: number; readonly message?: string } };
    }[];
  };
}

/** Longest words of a cluster that go into a condition, in characters. */
const MAX_TROUBLE_LENGTH = 1_024;

/** A Deployment reduced to facts. The API server may not be ours: what has not the type it should have counts as not there. */
export function deploymentFacts(deployment: DeploymentObject, pods: readonly AgentPod[]): DeploymentFacts {
  const { metadata, spec, status } = deployment;
  const trouble = deploymentTrouble(deployment) ?? pods.map(podTrouble).find((words) => words !== undefined);
  return {
    desired: countIn(spec?.replicas) ?? 1,
    updated: countIn(status?.updatedReplicas) ?? 0,
    ready: countIn(status?.readyReplicas) ?? 0,
    available: countIn(status?.availableReplicas) ?? 0,
    isStale: (countIn(status?.observedGeneration) ?? 0) < (countIn(metadata.generation) ?? 0),
    trouble: trouble?.slice(0, MAX_TROUBLE_LENGTH),
  };
}

/** Quota, admission and deadline errors stand in the Deployment's conditions. */
function deploymentTrouble({ status }: DeploymentObject): string | undefined {
  const conditions = listIn(status?.conditions);
  const failed =
    conditions.find(({ type, status: value }) => type === 'ReplicaFailure' && value === 'True') ??
    conditions.find(({ type, status: value }) => type === 'Progressing' && value === 'False');
  return textIn(failed?.message);
}

function podTrouble({ metadata, status }: AgentPod): string | undefined {
  for (const { state, lastState } of listIn(status?.containerStatuses)) {
    const reason = textIn(state?.waiting?.reason);
    if (reason === undefined || reason === 'ContainerCreating') continue;
    const exit = countIn(lastState?.terminated?.exitCode);
    const detail = textIn(state?.waiting?.message) ?? (exit === undefined ? undefined : `last exit code ${exit}`);
    return `pod ${metadata.name} is waiting: ${reason}${detail === undefined ? '' : ` (${detail})`}`;
  }
  const unscheduled = listIn(status?.conditions).find(
    ({ type, status: value }) => type === 'PodScheduled' && value === 'False',
  );
  const why = textIn(unscheduled?.message);
  return why === undefined ? undefined : `pod ${metadata.name} is not scheduled: ${why}`;
}

function countIn(value: unknown): number | undefined {
  return Number.isSafeInteger(value) ? (value as number) : undefined;
}

function textIn(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function listIn<T extends object>(values: readonly T[] | undefined): readonly T[] {
  return Array.isArray(values) ? values.filter((value) => typeof value === 'object' && value !== null) : [];
}
