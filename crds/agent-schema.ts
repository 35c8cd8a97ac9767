const resourceList = {
  type: 'object',
  maxProperties: 8,
  additionalProperties: { anyOf: [{ type: 'integer' }, { type: 'string' }], 'x-kubernetes-int-or-string': true },
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
      enum: ['Local', 'Manual'],
      default: 'Local',
      description:
        'Who deploys the agent. Local: the operator deploys it in the cluster it runs in. Manual: you apply the output of `clustertunnel manifest <name>` once at a cluster that the operator cannot reach. Default Local. Cannot be changed later.',
      'x-kubernetes-validations': [
        { rule: 'self == oldSelf', message: 'cannot be changed: delete the ClusterTunnel and create it again' },
      ],
    },
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
} as const;
