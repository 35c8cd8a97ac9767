const conditionSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['type', 'status', 'reason', 'message', 'lastTransitionTime'],
  properties: {
    type: { type: 'string', maxLength: 316, description: 'What the condition is about, for example Ready.' },
    status: { type: 'string', enum: ['True', 'False', 'Unknown'], description: 'True, False or Unknown.' },
    observedGeneration: { type: 'integer', description: 'The generation of the spec that this was decided for.' },
    lastTransitionTime: { type: 'string', format: 'date-time', description: 'When the status last changed.' },
    reason: { type: 'string', minLength: 1, maxLength: 1024, description: 'Why, in one word for programs.' },
    message: { type: 'string', maxLength: 32768, description: 'Why, and what to do, in a sentence for people.' },
  },
} as const;

/** What the operator reports. Written on transitions only: numbers that change all the time are metrics. */
export const statusSchema = {
  type: 'object',
  additionalProperties: false,
  description: 'What the tunnel is. Written by the operator.',
  properties: {
    observedGeneration: { type: 'integer', description: 'The generation of the spec that this status is about.' },
    endpoint: { type: 'string', description: 'URL of this cluster at the gateway: the server of a kubeconfig.' },
    kubernetesVersion: { type: 'string', description: 'Version of the API server behind the tunnel.' },
    agents: {
      type: 'string',
      description: 'Agents, for people. Local: ready/desired pods. Manual: the number of connected agents.',
    },
    agent: {
      type: 'object',
      additionalProperties: false,
      description: 'The agent.',
      properties: {
        version: { type: 'string', description: 'Version of the connected agents; several are separated by a comma.' },
        desiredReplicas: { type: 'integer', description: 'Agent pods that should run (Local).' },
        readyReplicas: { type: 'integer', description: 'Agent pods that are ready (Local).' },
      },
    },
    sessions: { type: 'integer', description: 'Open sessions between agents and gateways.' },
    gateways: { type: 'integer', description: 'Gateway replicas that hold at least one of these sessions.' },
    lastDisconnect: {
      type: 'object',
      additionalProperties: false,
      required: ['time', 'reason'],
      description: 'When a session last ended, and why.',
      properties: {
        time: { type: 'string', format: 'date-time', description: 'When a session last ended.' },
        reason: { type: 'string', maxLength: 1024, description: 'Why it ended.' },
      },
    },
    conditions: {
      type: 'array',
      maxItems: 16,
      items: conditionSchema,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
      description:
        'Accepted, CredentialsReady, AgentAvailable, Connected, UpstreamHealthy, and their summary Ready; Reconciling and Stalled only while true.',
    },
  },
} as const;
