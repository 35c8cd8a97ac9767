import { resourceAmounts } from './fields.ts';
import { kubeconfigSecretRef } from './kubeconfig-ref-schema.ts';
import { requestsWithinLimits } from './quantity-rules.ts';
import { immutable, matching, RULES_KEYWORD, type Rule } from './rules.ts';

const namespaceName = matching(
  '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
  "must be a namespace name: lower case letters, digits and '-', for example clustertunnel-agent",
);
const PORT = '([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])';
const proxyUrl = matching(
  `^http://([A-Za-z0-9]([-A-Za-z0-9.]{0,251}[A-Za-z0-9])?|\\[[0-9A-Fa-f:.]{2,45}\\])(:${PORT})?/?$`,
  'must be http://host or http://host:port, for example http://proxy.example:3128',
);

const resourcesSchema = {
  type: 'object',
  additionalProperties: false,
  description:
    'Compute resources of the agent container. Give it at least 96Mi of memory beyond limits.maxBufferBytes.',
  default: {},
  properties: {
    requests: {
      ...resourceAmounts,
      default: { cpu: '50m', memory: '96Mi' },
      description:
        'What the scheduler reserves, by name of the resource; default cpu: 50m and memory: 96Mi. At most limits.',
    },
    limits: {
      ...resourceAmounts,
      default: { memory: '256Mi' },
      description: 'What the container may use at most, by name of the resource; default memory: 256Mi.',
    },
  },
  [RULES_KEYWORD]: [requestsWithinLimits],
} as const;

interface AgentFields {
  readonly placement?: string;
  readonly kubeconfigSecretRef?: object;
  readonly proxyURL?: string;
  readonly noProxy?: string;
}

const agentRules: readonly Rule<AgentFields>[] = [
  {
    cel: "has(self.kubeconfigSecretRef) || !has(self.placement) || self.placement != 'Kubeconfig'",
    holds: ({ kubeconfigSecretRef, placement }) => kubeconfigSecretRef !== undefined || placement !== 'Kubeconfig',
    message:
      "is required with placement Kubeconfig: name the Secret in the operator's namespace that holds the kubeconfig",
    fieldPath: '.kubeconfigSecretRef',
  },
  {
    cel: "!has(self.kubeconfigSecretRef) || (has(self.placement) && self.placement == 'Kubeconfig')",
    holds: ({ kubeconfigSecretRef, placement }) => kubeconfigSecretRef === undefined || placement === 'Kubeconfig',
    message: 'is only for placement Kubeconfig: remove it, or set placement to Kubeconfig',
    fieldPath: '.kubeconfigSecretRef',
  },
  {
    cel: '!has(self.noProxy) || has(self.proxyURL)',
    holds: ({ noProxy, proxyURL }) => noProxy === undefined || proxyURL !== undefined,
    message: 'says nothing without agent.proxyURL: set that, or remove noProxy',
    fieldPath: '.noProxy',
  },
];

/** spec.agent: where the agent runs and what its pods look like. */
export const agentSchema = {
  type: 'object',
  additionalProperties: false,
  description: 'Where the agent runs and what its pods look like.',
  default: {},
  properties: {
    placement: {
      type: 'string',
      enum: ['Local', 'Kubeconfig', 'Manual'],
      default: 'Local',
      description:
        'Who deploys the agent. Local: the operator deploys it in the cluster it runs in. Kubeconfig: the operator deploys it in the cluster that the kubeconfig of kubeconfigSecretRef names. Manual: you apply the output of `clustertunnel manifest <name>` once at a cluster that the operator cannot reach. Default Local. Cannot be changed later.',
      'x-kubernetes-validations': [immutable()],
    },
    kubeconfigSecretRef: kubeconfigSecretRef(
      "Secret in the operator's own namespace with the kubeconfig of the target, for placement Kubeconfig only. Credentials must stand in the kubeconfig itself: a token, or certificate and key as data; no exec plugins and no file names.",
    ),
    namespace: {
      type: 'string',
      default: 'clustertunnel-agent',
      maxLength: 63,
      description:
        'Namespace of the agent, created if it does not exist; default clustertunnel-agent. For another one the operator needs the Role `clustertunnel-agent-manager` there. Cannot be changed later.',
      [RULES_KEYWORD]: [namespaceName],
      'x-kubernetes-validations': [immutable({ unless: `!${namespaceName.cel}` })],
    },
    replicas: {
      type: 'integer',
      default: 2,
      minimum: 1,
      maximum: 10,
      description:
        'Agent pods, 1 to 10; default 2. Each keeps a session of its own, so requests survive the loss of one.',
    },
    image: {
      type: 'string',
      minLength: 1,
      maxLength: 512,
      description: "Image of the agent. Default: the one that the operator's --agent-image names.",
    },
    imagePullPolicy: {
      type: 'string',
      enum: ['Always', 'IfNotPresent', 'Never'],
      default: 'IfNotPresent',
      description: 'When the image is pulled: Always, IfNotPresent (default) or Never.',
    },
    proxyURL: {
      type: 'string',
      maxLength: 512,
      description:
        'HTTP proxy through which the agent reaches the gateway (CONNECT), for example http://proxy.example:3128. It carries no credentials: specs are no place for secrets. Default: none.',
      [RULES_KEYWORD]: [proxyUrl],
    },
    noProxy: {
      type: 'string',
      maxLength: 4096,
      description:
        'Hosts that the agent reaches without proxyURL, separated by commas: names (with all below them), addresses, CIDRs, each with :port if needed, or * for all. Default: none.',
    },
    resources: resourcesSchema,
  },
  [RULES_KEYWORD]: agentRules,
} as const;
