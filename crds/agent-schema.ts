const resourceList = {
  type: 'object',
  maxProperties: 8,
  additionalProperties: { anyOf: [{ type: 'integer' }, { type: 'string' }], 'x-kubernetes-int-or-string': true },
} as const;

const kubeconfigSecretRefSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['name'],
  description:
    "Secret in the operator's namespace with the kubeconfig of the target; for placement Kubeconfig. Only inline credentials: a token, or certificate and key as data.",
  properties: {
    name: {
      type: 'string',
      minLength: 1,
      maxLength: 253,
      description: 'Name of the Secret.',
      'x-kubernetes-validations': [
        {
          rule: "self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",
          message: "must be the name of a Secret: lower case letters, digits, '-' and '.', for example prod-kubeconfig",
        },
      ],
    },
    key: {
      type: 'string',
      default: 'kubeconfig',
      minLength: 1,
      maxLength: 253,
      description: 'Its key that holds the kubeconfig; default kubeconfig.',
      'x-kubernetes-validations': [
        {
          rule: "self.matches('^[-._a-zA-Z0-9]+$')",
          message: "must be the key of a Secret: letters, digits, '-', '_' and '.', for example kubeconfig",
        },
      ],
    },
  },
} as const;

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
      'x-kubernetes-validations': [
        { rule: 'self == oldSelf', message: 'cannot be changed: delete the ClusterTunnel and create it again' },
      ],
    },
    kubeconfigSecretRef: kubeconfigSecretRefSchema,
    namespace: {
      type: 'string',
      default: 'clustertunnel-agent',
      minLength: 1,
      maxLength: 63,
      description:
        'Namespace of the agent, created if it does not exist; default clustertunnel-agent. For another one the operator needs the Role `clustertunnel-agent-manager` there. Cannot be changed later.',
      'x-kubernetes-validations': [
        {
          rule: "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
          message: "must be a namespace name: lower case letters, digits and '-', for example clustertunnel-agent",
        },
        {
          rule: "self == oldSelf || !self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
          message: 'cannot be changed: delete the ClusterTunnel and create it again',
        },
      ],
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
      minLength: 1,
      maxLength: 512,
      description:
        'HTTP proxy through which the agent reaches the gateway (CONNECT), for example http://proxy.example:3128. It carries no credentials: specs are no place for secrets. Default: none.',
      'x-kubernetes-validations': [
        {
          rule: "self.matches('^http://([A-Za-z0-9]([-A-Za-z0-9.]{0,251}[A-Za-z0-9])?|\\\\[[0-9A-Fa-f:.]{2,45}\\\\])(:[0-9]{1,5})?/?$')",
          message: 'must be http://host or http://host:port, for example http://proxy.example:3128',
        },
      ],
    },
    noProxy: {
      type: 'string',
      maxLength: 4096,
      description:
        'Hosts that the agent reaches without proxyURL, separated by commas: names (with all below them), addresses, CIDRs, each with :port if needed, or * for all. Default: none.',
    },
    resources: {
      type: 'object',
      additionalProperties: false,
      description:
        'Compute resources of the agent container. Give it at least 96Mi of memory beyond limits.maxBufferBytes.',
      default: {},
      properties: {
        requests: {
          ...resourceList,
          default: { cpu: '50m', memory: '96Mi' },
          description: 'What the scheduler reserves; default cpu 50m and memory 96Mi.',
        },
        limits: {
          ...resourceList,
          default: { memory: '256Mi' },
          description: 'What the container may use at most; default memory 256Mi.',
        },
      },
    },
  },
  'x-kubernetes-validations': [
    {
      rule: "has(self.kubeconfigSecretRef) || !has(self.placement) || self.placement != 'Kubeconfig'",
      message:
        "is required with placement Kubeconfig: name the Secret in the operator's namespace that holds the kubeconfig",
      fieldPath: '.kubeconfigSecretRef',
    },
    {
      rule: "!has(self.kubeconfigSecretRef) || (has(self.placement) && self.placement == 'Kubeconfig')",
      message: 'is only for placement Kubeconfig: remove it, or set placement to Kubeconfig',
      fieldPath: '.kubeconfigSecretRef',
    },
    {
      rule: '!has(self.noProxy) || has(self.proxyURL)',
      message: 'says nothing without agent.proxyURL: set that, or remove noProxy',
      fieldPath: '.noProxy',
    },
  ],
} as const;
