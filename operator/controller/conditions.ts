import { checkAccepted, checkAgent, checkConnected, checkCredentials, checkUpstream, type Verdict } from './checks.ts';
import type { ConditionVerdict } from './merge-conditions.ts';
import type { Observation } from './observe.ts';
import { Reason } from './reasons.ts';

/** In this order: the first that is not True explains Ready. */
const CHECKS: readonly (readonly [type: string, check: (seen: Observation) => Verdict])[] = [
  ['Accepted', checkAccepted],
  ['CredentialsReady', checkCredentials],
  ['AgentAvailable', checkAgent],
  ['Connected', checkConnected],
  ['UpstreamHealthy', checkUpstream],
];

/** All conditions of a tunnel. Ready comes first; Reconciling and Stalled are there only while true. */
export function conditions(seen: Observation): ConditionVerdict[] {
  const verdicts = CHECKS.map(([type, check]) => ({ type, ...check(seen) }));
  const gates = verdicts.filter(({ type }) => type !== 'AgentAvailable' || seen.spec?.agent.placement !== 'Manual');
  return [ready(seen, gates), ...verdicts, ...transient(seen)].map((verdict) => ({
    ...verdict,
    observedGeneration: seen.generation,
  }));
}

type Named = Verdict & { readonly type: string };

function ready({ endpoint, sessions }: Observation, gates: readonly Named[]): Named {
  const failing = gates.find(({ status }) => status !== 'True');
  if (failing !== undefined) {
    const { type, status, reason, message } = failing;
    return { type: 'Ready', status, reason, message: `${type} is ${status}: ${message}` };
  }
  const version = sessions.upstream?.kubernetesVersion;
  return {
    type: 'Ready',
    status: 'True',
    reason: Reason.RequestsGetThrough,
    message: `${endpoint} reaches Kubernetes${version === undefined ? '' : ` ${version}`}.`,
  };
}

/** What kstatus looks for (Flux, Helm --wait, Argo CD). */
function transient({ specErrors, failure, deployment }: Observation): Named[] {
  if (specErrors.length > 0) {
    return [{ type: 'Stalled', status: 'True', reason: Reason.InvalidSpec, message: specErrors.join('; ') }];
  }
  if (failure?.isTerminal) {
    const reason = failure.isForbidden ? Reason.Forbidden : Reason.ApplyFailed;
    return [{ type: 'Stalled', status: 'True', reason, message: `${failure.doing}: ${failure.message}` }];
  }
  if (deployment !== undefined && (deployment.isStale || deployment.updated < deployment.desired)) {
    const message = `${deployment.updated} of ${deployment.desired} agent pods run the newest template.`;
    return [{ type: 'Reconciling', status: 'True', reason: Reason.RollingOut, message }];
  }
  return [];
}
