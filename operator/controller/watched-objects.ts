import type { KubeObject } from '../kube/objects.ts';
import type { DeploymentObject } from './deployment.ts';
import { ourLabels } from './names.ts';

const MAX_CONDITIONS = 10;
const MAX_MESSAGE_LENGTH = 1_024;

/** Enough of an object to see that it changed, and whose it is: tokens of agents need not lie in our memory. */
export function identityOf({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  return {
    apiVersion,
    kind,
    metadata: {
      ...pick(metadata, ['name', 'namespace', 'uid', 'resourceVersion', 'generation', 'deletionTimestamp']),
      labels: ourLabels(metadata.labels),
    },
  };
}

/** What conditions are decided from, and no more of it than fits a status: the API server may not be ours. */
export function deploymentFactsOf(deployment: DeploymentObject): DeploymentObject {
  const { spec = {}, status = {} } = deployment;
  const conditions = status.conditions?.slice(0, MAX_CONDITIONS).map((condition) => {
    const message = condition.message?.slice(0, MAX_MESSAGE_LENGTH);
    return { ...pick(condition, ['type', 'status', 'reason']), ...(message === undefined ? {} : { message }) };
  });
  const identity = identityOf(deployment);
  // Drift of a Deployment is told from its status by what is ours of it: spec (the generation) and labels.
  const labels = ourLabels(deployment.metadata.labels);
  return {
    ...identity,
    metadata: { ...identity.metadata, labels },
    spec: pick(spec, ['replicas']),
    status: {
      ...pick(status, ['observedGeneration', 'updatedReplicas', 'readyReplicas', 'availableReplicas']),
      ...(conditions === undefined ? {} : { conditions }),
    },
  };
}

/** The named fields that are there. */
function pick<T extends object, K extends keyof T>(value: T, names: readonly K[]): Pick<T, K> {
  return Object.fromEntries(names.filter((name) => name in value).map((name) => [name, value[name]])) as Pick<T, K>;
}
