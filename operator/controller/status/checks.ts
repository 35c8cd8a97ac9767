import type { ConditionStatus, Spec } from '../../../crds/types.ts';
import { type Failure, isQuota } from './failure.ts';
import { FLAPS, FLAPS_WITHIN_MS } from './flapping.ts';
import type { DeploymentFacts, Observation } from './observe.ts';
import { Reason } from './reasons.ts';

/** A session whose agent says nothing for 30 s ends, unless the gateway itself was late: beyond this nobody knows. */
const SILENT_MS = 45_000;

/** What one check found. */
export interface Verdict {
  readonly status: ConditionStatus;
  readonly reason: string;
  readonly message: string;
}

/** Whether the spec can be used at all. */
export function checkAccepted({ specErrors }: Observation): Verdict {
  return specErrors.length === 0
    ? { status: 'True', reason: Reason.SpecAccepted, message: 'The spec is valid.' }
    : { status: 'False', reason: Reason.InvalidSpec, message: specErrors.join('; ') };
}

/** Whether an agent has a token to log in with. */
export function checkCredentials({ name, spec, failure, hasKey, sessions }: Observation): Verdict {
  if (spec === undefined) return notAttempted;
  if (failure !== undefined && concernsCredentials(failure, hasKey)) return failed(failure);
  if (spec.agent.placement !== 'Manual') {
    return hasKey
      ? { status: 'True', reason: Reason.TokenIssued, message: 'The agent has a valid token.' }
      : notAttempted;
  }
  if (hasKey)
    return { status: 'True', reason: Reason.TokenIssued, message: 'A manifest with a valid token was rendered.' };
  const run = `run \`clustertunnel manifest ${name} | kubectl --context <target> apply -f -\``;
  if (sessions.liveSessions === 0) {
    return { status: 'False', reason: Reason.ManifestNotApplied, message: `No manifest was rendered yet: ${run}.` };
  }
  const message = `The Secret with the keys of this tunnel is gone: the connected agent cannot log in again; ${run}.`;
  return { status: 'False', reason: Reason.KeysMissing, message };
}

/** Whether an agent runs. */
export function checkAgent({ spec, failure, deployment, sessions }: Observation): Verdict {
  if (spec === undefined) return notAttempted;
  if (failure !== undefined && concernsAgent(failure)) return failed(failure);
  if (spec.suspend) return suspended(spec, deployment);
  if (spec.agent.placement === 'Manual') return checkManualAgent(sessions.agents.length);
  return deployment === undefined ? notAttempted : checkDeployment(deployment, spec.agent.namespace);
}

/** Whether a session is open: earned by a completed handshake, never assumed. */
export function checkConnected(seen: Observation): Verdict {
  const { status, reason, message } = connection(seen);
  if (!seen.isFlapping || seen.spec?.suspend) return { status, reason, message };
  const minutes = FLAPS_WITHIN_MS / 60_000;
  const why = `Sessions come and go, ${FLAPS} times within ${minutes} minutes or more often: this is told every 30 s at most, until it holds for ${minutes} minutes; see the agents' logs.`;
  return { status, reason: Reason.Flapping, message: `${why} Now: ${message}` };
}

function connection({ spec, sessions, nowMs }: Observation): Verdict {
  const { liveSessions, agents, lastDisconnect, heardAtMs = nowMs, settlingUntilMs = 0 } = sessions;
  if (spec?.suspend) {
    const message =
      liveSessions > 0 ? `${endingSessions(liveSessions)}.` : 'Agents are refused while spec.suspend is true.';
    return { status: 'False', reason: Reason.Suspended, message };
  }
  if (liveSessions > 0 && nowMs - heardAtMs > SILENT_MS) {
    const message = `Nothing was heard of any agent for more than ${SILENT_MS / 1_000} s.`;
    return { status: 'Unknown', reason: Reason.EvidenceTooOld, message };
  }
  if (liveSessions > 0) {
    const message = `${count(liveSessions, 'session')} from ${count(agents.length, 'agent')}.`;
    return { status: 'True', reason: Reason.SessionOpen, message };
  }
  if (nowMs < settlingUntilMs) {
    const message = 'The gateway has just started: agents that were connected dial again within half a minute.';
    return { status: 'Unknown', reason: Reason.GatewayStarted, message };
  }
  if (lastDisconnect !== undefined) {
    const message = `No session is open; the last ended at ${lastDisconnect.time}: ${lastDisconnect.reason}. Agents dial again by themselves: see their logs if this lasts.`;
    return { status: 'False', reason: Reason.SessionLost, message };
  }
  const message = 'No agent has connected yet: once one runs, see its logs for why it cannot reach the gateway.';
  return { status: 'False', reason: Reason.NeverConnected, message };
}

const notAttempted: Verdict = {
  status: 'Unknown',
  reason: Reason.NotAttempted,
  message: 'Waits for the conditions before it.',
};

function checkManualAgent(connectedAgents: number): Verdict {
  return connectedAgents > 0
    ? { status: 'True', reason: Reason.AgentConnected, message: `${count(connectedAgents, 'agent')} connected.` }
    : {
        status: 'Unknown',
        reason: Reason.NotObservable,
        message: 'The operator cannot see the pods of a Manual agent; ask kubectl at its own cluster.',
      };
}

/** One sentence for the condition of a tunnel whose sessions come to their end. */
export function endingSessions(liveSessions: number): string {
  return liveSessions === 1
    ? '1 session ends when its requests have'
    : `${liveSessions} sessions end when their requests have`;
}

/** Without an answer of the cluster nothing new is known of the agent; with a token on record its credentials are as they were. */
function concernsCredentials({ step, reason }: Failure, hasKey: boolean): boolean {
  return reason === Reason.ClusterUnreachable ? !hasKey : step === 'credentials';
}

function concernsAgent({ step, reason }: Failure): boolean {
  return step === 'agent' || reason === Reason.ClusterUnreachable;
}

function suspended({ agent }: Spec, deployment: DeploymentFacts | undefined): Verdict {
  if (agent.placement === 'Manual') {
    const message =
      'The gateway refuses the agent while spec.suspend is true; nobody stops the pods of a Manual agent.';
    return { status: 'False', reason: Reason.Suspended, message };
  }
  const pods =
    deployment === undefined || deployment.ready === 0 ? '' : `: ${count(deployment.ready, 'pod')} still running`;
  return { status: 'False', reason: Reason.Suspended, message: `The agent is scaled to 0${pods}.` };
}

function checkDeployment({ desired, ready, available, trouble }: DeploymentFacts, namespace: string): Verdict {
  const pods = `${ready} of ${count(desired, 'agent pod')} ready`;
  const why = trouble === undefined ? '' : `: ${trouble}`;
  if (available === 0 && trouble !== undefined && isQuota(trouble)) {
    return { status: 'False', reason: Reason.QuotaExceeded, message: `${pods}${why}.` };
  }
  if (available === 0) {
    const hint = trouble === undefined ? `: see \`kubectl -n ${namespace} get pods\`` : '';
    return { status: 'False', reason: Reason.NoReplicaReady, message: `${pods}${why}${hint}.` };
  }
  return ready < desired
    ? { status: 'True', reason: Reason.SomeReplicasReady, message: `${pods}${why}.` }
    : { status: 'True', reason: Reason.AllReplicasReady, message: `${pods}.` };
}

function failed({ reason, message }: Failure): Verdict {
  return { status: reason === Reason.ClusterUnreachable ? 'Unknown' : 'False', reason, message };
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
