import type { Spec } from '../../../crds/types.ts';
import { measured } from '../../../crds/validate.ts';
import type { KubeObject } from '../../kube/objects.ts';
import { RESOURCES } from '../../kube/objects.ts';
import { agentName, labelsOf, SERVICE_ACCOUNT_ANNOTATION, selectorOf } from '../names.ts';

/** What a DeploymentObject's status tells. */
export interface DeploymentObject extends KubeObject {
  readonly spec?: { readonly replicas?: number };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly updatedReplicas?: number;
    readonly readyReplicas?: number;
    readonly availableReplicas?: number;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
      readonly message?: string;
    }[];
  };
}

export interface AgentDeploymentInput {
  readonly tunnel: string;
  readonly spec: Spec;
  readonly gatewayUrl: string;
  readonly image: string;
}

const SECRET_MOUNT = '/var/run/clustertunnel';
const OPS_PORT = 8081;
/** The `nonroot` user of distroless images. */
const USER_ID = 65_532;
/** After the drain: time to say goodbye and exit. */
const EXIT_SECONDS = 10;
/** r--r-----: the file's group is the pod's fsGroup. */
const SECRET_MODE = 0o440;

/**
 * The agent Deployment. Limits, timeouts and health are not in it: they reach running agents over the session,
 * so that changing them restarts nothing. But the grace period follows timeouts.drain.
 */
export function agentDeployment(input: AgentDeploymentInput): DeploymentObject {
  const { tunnel, spec } = input;
  return {
    apiVersion: RESOURCES.deployment.apiVersion,
    kind: RESOURCES.deployment.kind,
    metadata: { name: agentName(tunnel), namespace: spec.agent.namespace, labels: labelsOf(tunnel) },
    spec: {
      replicas: spec.suspend ? 0 : spec.agent.replicas,
      revisionHistoryLimit: 3,
      selector: { matchLabels: selectorOf(tunnel) },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: { metadata: { labels: labelsOf(tunnel) }, spec: podSpec(input) },
    },
  } as DeploymentObject;
}

/**
 * The same, run as this very ServiceAccount: the tokens that pods hold die with the one they were issued for, so pods of a
 * ServiceAccount that was made again must be made again too.
 */
export function runningAs(deployment: KubeObject, serviceAccountUid: string | undefined): KubeObject {
  if (serviceAccountUid === undefined) return deployment;
  const { spec } = deployment as KubeObject & { readonly spec: { readonly template: KubeObject } };
  const { template } = spec;
  const annotations = { ...template.metadata.annotations, [SERVICE_ACCOUNT_ANNOTATION]: serviceAccountUid };
  return {
    ...deployment,
    spec: { ...spec, template: { ...template, metadata: { ...template.metadata, annotations } } },
  } as KubeObject;
}

function podSpec(input: AgentDeploymentInput) {
  const { tunnel, spec } = input;
  const drainSeconds = Math.ceil(measured('duration', spec.timeouts.drain) / 1_000);
  return {
    serviceAccountName: agentName(tunnel),
    automountServiceAccountToken: true,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: drainSeconds + EXIT_SECONDS,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: USER_ID,
      runAsGroup: USER_ID,
      fsGroup: USER_ID,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [agentContainer(input)],
    volumes: [{ name: 'gateway', secret: { secretName: agentName(tunnel), defaultMode: SECRET_MODE } }],
  };
}

function agentContainer({ tunnel, spec, gatewayUrl, image }: AgentDeploymentInput) {
  const fromField = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  return {
    name: 'agent',
    image: spec.agent.image ?? image,
    imagePullPolicy: spec.agent.imagePullPolicy,
    args: [
      'agent',
      `--gateway=${gatewayUrl}`,
      `--tunnel=${tunnel}`,
      `--token-file=${SECRET_MOUNT}/token`,
      `--ca-file=${SECRET_MOUNT}/ca.crt`,
      `--min-backoff=${spec.reconnect.minBackoff}`,
      `--max-backoff=${spec.reconnect.maxBackoff}`,
      ...proxyArguments(spec),
      '--bind-address=$(POD_IP)',
      `--ops-port=${OPS_PORT}`,
    ],
    env: [fromField('POD_NAME', 'metadata.name'), fromField('POD_IP', 'status.podIP')],
    ports: [{ name: 'ops', containerPort: OPS_PORT, protocol: 'TCP' }],
    livenessProbe: probe('/livez', { periodSeconds: 10, failureThreshold: 6 }),
    readinessProbe: probe('/readyz', { periodSeconds: 2, failureThreshold: 2 }),
    resources: spec.agent.resources,
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [{ name: 'gateway', mountPath: SECRET_MOUNT, readOnly: true }],
  };
}

function proxyArguments({ agent: { proxyURL, noProxy } }: Spec): string[] {
  if (proxyURL === undefined) return [];
  return [`--proxy-url=${proxyURL}`, ...(noProxy === undefined ? [] : [`--no-proxy=${noProxy}`])];
}

function probe(path: string, timing: { readonly periodSeconds: number; readonly failureThreshold: number }) {
  return { httpGet: { path, port: OPS_PORT }, timeoutSeconds: 5, ...timing };
}
