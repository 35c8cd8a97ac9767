import type { KubeObject } from '../../kube/objects.ts';
import { ourLabels } from '../names.ts';
import type { DeploymentObject } from '../objects/deployment.ts';

const MAX_CONDITIONS = 10;
const MAX_MESSAGE_LENGTH = 1_024;

/** Names and labels of a real API server are far shorter together. */
const MAX_KEPT_LENGTH = 32 * 1_024;

/** Enough of an object to see that it changed, and whose it is: tokens of agents need not lie in our memory. */
export function identityOf({ apiVersion, kind, metadata }: KubeObject): KubeObject | undefined {
  return ifSmall({
    apiVersion,
    kind,
    metadata: {
      ...pick(metadata, ['name', 'namespace', 'uid', 'resourceVersion', 'generation', 'deletionTimestamp']),
      labels: ourLabels(metadata.labels),
    },
  });
}

/** What conditions are decided from, and no more of it than fits a status: the API server may not be ours. */
export function deploymentFactsOf(deployment: DeploymentObject): DeploymentObject | undefined {
  const { spec = {}, status = {} } = deployment;
  const conditions = status.conditions?.slice(0, MAX_CONDITIONS).map((condition) => {
    const message = condition.message === undefined ? undefined : beginningOf(condition.message);
    return { ...pick(condition, ['type', 'status', 'reason']), ...(message === undefined ? {} : { message }) };
  });
  const identity = identityOf(deployment);
  if (identity === undefined) return undefined;
  return ifSmall({
    ...identity,
    spec: pick(spec, ['replicas']),
    status: {
      ...pick(status, ['observedGeneration', 'updatedReplicas', 'readyReplicas', 'availableReplicas']),
      ...(conditions === undefined ? {} : { conditions }),
    },
  });
}

function ifSmall<T>(object: T): T | undefined {
  return JSON.stringify(object).length <= MAX_KEPT_LENGTH ? object : undefined;
}

/** A copy: a slice would keep the whole text in memory. */
function beginningOf(text: string): string {
  return Buffer.from(text.slice(0, MAX_MESSAGE_LENGTH)).toString();
}

/** The named fields that are there. */
function pick<T extends object, K extends keyof T>(value: T, names: readonly K[]): Pick<T, K> {
  return Object.fromEntries(names.filter((name) => name in value).map((name) => [name, value[name]])) as Pick<T, K>;
}
