import { describeError } from '../../../process/redact.ts';
import { ApiError, isConflict, isForbidden, isTerminal, UnreachableError } from '../../kube/errors.ts';
import { AGENT_NAMESPACE_ROLE } from '../names.ts';
import { Reason } from './reasons.ts';

/** Why something could not be done, as conditions spell it. */
export type FailureReason =
  | typeof Reason.KubeconfigMissing
  | typeof Reason.KubeconfigRefused
  | typeof Reason.Unauthorized
  | typeof Reason.Forbidden
  | typeof Reason.ApplyFailed
  | typeof Reason.NamespaceTerminating
  | typeof Reason.QuotaExceeded
  | typeof Reason.ClusterUnreachable;

/** What could not be done, and which condition tells it. */
export interface Failure {
  readonly step: 'credentials' | 'agent';
  readonly reason: FailureReason;
  /** Whole sentences: what was tried, the API server's words, the remedy. */
  readonly message: string;
  /** Nothing but a change of the spec, of a Secret or of rights helps. */
  readonly isTerminal: boolean;
}

/** What was being done when it failed, and where. */
export interface Doing {
  readonly step: Failure['step'];
  /** "apply Secret clustertunnel-agent/clustertunnel-agent-prod". */
  readonly what: string;
  /** URL of the API server. */
  readonly server: string;
  readonly isRemote: boolean;
  /** The agent's namespace; undefined where only what is the operator's own is touched. */
  readonly namespace: string | undefined;
  /** "clustertunnel-system/prod-kubeconfig", for a remote cluster. */
  readonly kubeconfigSecret?: string | undefined;
}

const ANEW = 'Everything is made anew when the namespace is gone.';

/**
 * An error as a Failure.
 * @throws the error again if it says nothing about the tunnel: a conflict at the hub (our cache lags behind), an aborted signal, our bug.
 */
export function failureOf(error: unknown, doing: Doing): Failure {
  if (error instanceof UnreachableError) return unreachable(doing, describeError(error.cause ?? error));
  if (isOverloaded(error)) return unreachable(doing, describeError(error));
  if (!(error instanceof ApiError) || (isConflict(error) && !doing.isRemote)) throw error;
  const reason = reasonOf(error, doing);
  const isHopeless = reason === Reason.Forbidden || reason === Reason.Unauthorized || isTerminal(error);
  return { step: doing.step, reason, message: sentence(reason, doing, describeError(error)), isTerminal: isHopeless };
}

/** No answer from the cluster's API server; `words` say why. */
export function unreachable({ step, server }: Pick<Doing, 'step' | 'server'>, words: string): Failure {
  const message = `${server}: ${withoutAddress(words, server)}. Tried again at growing intervals.`;
  return { step, reason: Reason.ClusterUnreachable, message, isTerminal: false };
}

/** The agent's namespace is going; `words` may say what keeps it. */
export function terminating({ step }: Pick<Doing, 'step'>, namespace: string, words: string): Failure {
  const message = `Namespace ${namespace} is terminating${words === '' ? '' : `: ${words}`}. ${ANEW}`;
  return { step, reason: Reason.NamespaceTerminating, message, isTerminal: false };
}

/** Whether the sentence is that of a quota: the API server's, or a controller's about pods it could not make. */
export function isQuota(words: string): boolean {
  return words.includes('exceeded quota');
}

/** An answer, but none to what was asked: nothing is known of the cluster. */
function isOverloaded(error: unknown): boolean {
  return error instanceof ApiError && (error.status >= 500 || error.status === 429);
}

function reasonOf(error: ApiError, { isRemote }: Doing): FailureReason {
  if (isTerminating(error)) return Reason.NamespaceTerminating;
  if (isForbidden(error)) return isQuota(error.message) ? Reason.QuotaExceeded : Reason.Forbidden;
  return error.status === 401 && isRemote ? Reason.Unauthorized : Reason.ApplyFailed;
}

function isTerminating(error: ApiError): boolean {
  return (
    isForbidden(error) && (error.causes.includes('NamespaceTerminating') || /being terminated/.test(error.message))
  );
}

function sentence(reason: FailureReason, doing: Doing, words: string): string {
  const { what, server, isRemote, kubeconfigSecret = '' } = doing;
  if (reason === Reason.Unauthorized) {
    return `${server} does not accept the credential of the kubeconfig: ${words}. Renew it in Secret ${kubeconfigSecret}.`;
  }
  const where = isRemote ? ` at ${server}` : '';
  return `Could not ${what}${where}: ${words}. ${remedyOf(reason, doing)}`;
}

function remedyOf(reason: FailureReason, { isRemote, namespace }: Doing): string {
  switch (reason) {
    case Reason.NamespaceTerminating:
      return ANEW;
    case Reason.QuotaExceeded:
      return 'Tried again: raise the quota of the namespace, or lower spec.agent.replicas or spec.agent.resources.';
    case Reason.Forbidden:
      return isRemote
        ? `If the kubeconfig's user lacks the right, apply config/remote at that cluster, for the namespace ${namespace}.`
        : `If the operator lacks the right, apply config/rbac${namespace === undefined ? '' : `, and its Role and RoleBinding \`${AGENT_NAMESPACE_ROLE}\` in the namespace ${namespace}`}.`;
    default:
      return 'Tried again.';
  }
}

/** "GET https://…/api: no answer in 10000 ms" without the address: each call to one dead server shall make the same sentence. */
function withoutAddress(words: string, server: string): string {
  const at = words.indexOf(server);
  return at < 0 ? words : words.slice(at).replace(/^\S+\s*/, '') || words;
}
