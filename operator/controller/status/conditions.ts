import { checkFallback } from './check-fallback.ts';
import { checkUpstream } from './check-upstream.ts';
import { checkAccepted, checkAgent, checkConnected, checkCredentials, type Verdict } from './checks.ts';
import { lowDisk } from './low-disk.ts';
import type { ConditionVerdict } from './merge-conditions.ts';
import type { Observation } from './observe.ts';
import { Reason } from './reasons.ts';

/** In this order: of those that are not True the first explains Ready, one that is False before one that is Unknown. */
const CHECKS: readonly (readonly [type: string, check: (seen: Observation) => Verdict])[] = [
  ['Accepted', checkAccepted],
  ['CredentialsReady', checkCredentials],
  ['AgentAvailable', checkAgent],
  ['Connected', checkConnected],
  ['UpstreamHealthy', checkUpstream],
];

const BYPASSED = 'Meanwhile requests go to the API server directly: see FallbackReady.';

/** All conditions of a tunnel. Ready comes first; Reconciling and Stalled are there only while true. */
export function conditions(seen: Observation): ConditionVerdict[] {
  const verdicts = CHECKS.map(([type, check]) => ({ type, ...check(seen) }));
  const fallback = fallbackOf(seen);
  return [ready(seen, gatesOf(seen, verdicts), fallback), ...verdicts, ...fallback, ...transient(seen)].map(
    (verdict) => ({
      ...verdict,
      observedGeneration: seen.generation,
    }),
  );
}

/** There only while spec.fallback is set. It is no gate: what goes directly does not make a tunnel ready. */
function fallbackOf(seen: Observation): Named[] {
  const verdict = checkFallback(seen);
  return verdict === undefined ? [] : [{ type: 'FallbackReady', ...verdict }];
}

type Named = Verdict & { readonly type: string };

/**
 * What Ready depends on. Nobody sees the pods of a Manual agent. And an agent's cluster that does not answer the operator
 * stops nothing while requests get through.
 */
function gatesOf({ spec }: Observation, verdicts: readonly Named[]): readonly Named[] {
  const isTrue = (wanted: string) => verdicts.some(({ type, status }) => type === wanted && status === 'True');
  const carries = isTrue('Connected') && isTrue('UpstreamHealthy');
  const isGate = ({ type, reason }: Named) => {
    if (type !== 'AgentAvailable') return true;
    return spec?.agent.placement !== 'Manual' && !(reason === Reason.ClusterUnreachable && carries);
  };
  return verdicts.filter(isGate);
}

function ready(seen: Observation, gates: readonly Named[], fallback: readonly Named[]): Named {
  const { spec, endpoint, sessions } = seen;
  if (spec?.suspend) {
    const message = 'spec.suspend is true: requests get 503 until it is false.';
    return { type: 'Ready', status: 'False', reason: Reason.Suspended, message };
  }
  const failing = failingGates(gates);
  const [first] = failing;
  if (first !== undefined) {
    const words = failing.map((gate) => `${gate.type} is ${gate.status}: ${gate.message}`);
    const isBypassed = fallback.some(({ reason }) => reason === Reason.RequestsGoDirectly);
    const message = [...words, ...(isBypassed ? [BYPASSED] : [])].join(' ');
    return { type: 'Ready', status: first.status, reason: first.reason, message };
  }
  const version = sessions.upstream?.kubernetesVersion;
  const message = `${endpoint} reaches Kubernetes${version === undefined ? '' : ` ${version}`}.`;
  const warning = lowDisk(seen);
  if (warning !== undefined) {
    return { type: 'Ready', status: 'True', reason: Reason.LowDisk, message: `${message} ${warning}` };
  }
  return { type: 'Ready', status: 'True', reason: Reason.RequestsGetThrough, message };
}

/** What explains Ready: the first False, with the Unknown before it, which may be its cause; without any False the first Unknown. */
function failingGates(gates: readonly Named[]): Named[] {
  const denied = gates.find(({ status }) => status === 'False');
  const unsure = gates.find(({ status }) => status === 'Unknown');
  if (denied === undefined || unsure === undefined) return [denied ?? unsure ?? []].flat();
  const mayBeCause = gates.indexOf(unsure) < gates.indexOf(denied) && unsure.reason !== Reason.NotAttempted;
  return mayBeCause ? [denied, unsure] : [denied];
}

/** What kstatus looks for (Flux, Helm --wait, Argo CD). */
function transient({ spec, specErrors, failure, deployment, sessions }: Observation): Named[] {
  if (specErrors.length > 0) {
    return [{ type: 'Stalled', status: 'True', reason: Reason.InvalidSpec, message: specErrors.join('; ') }];
  }
  if (failure?.isTerminal) {
    return [{ type: 'Stalled', status: 'True', reason: failure.reason, message: failure.message }];
  }
  const endingPods = deployment?.ready ?? 0;
  if (spec?.suspend && endingPods + sessions.liveSessions > 0) {
    const message = `Still there: ${endingPods} agent pods, ${sessions.liveSessions} sessions.`;
    return [{ type: 'Reconciling', status: 'True', reason: Reason.Suspending, message }];
  }
  if (deployment !== undefined && (deployment.isStale || deployment.updated < deployment.desired)) {
    const message = `${deployment.updated} of ${deployment.desired} agent pods run the newest template.`;
    return [{ type: 'Reconciling', status: 'True', reason: Reason.RollingOut, message }];
  }
  return [];
}
