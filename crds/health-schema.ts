import { bytes, duration } from './fields.ts';

/** spec.health: how the way to the API server is watched, and what of an agent is worth a warning. */
export const healthSchema = {
  type: 'object',
  additionalProperties: false,
  description:
    'How the way to the API server behind the tunnel is watched, by its agents and by the gateways. Changes are in force at once.',
  default: {},
  properties: {
    interval: duration({
      default: '10s',
      min: '1s',
      max: '10m',
      description:
        'Time between two probes of the API server when no user request has succeeded meanwhile: by each agent, and by each gateway as users ask, with a worker of an agent.',
    }),
    timeout: duration({
      default: '5s',
      min: '100ms',
      max: '1m',
      description:
        'A probe of a gateway that has no answer so long has failed, and its worker is freed. There is one at a time: while it runs the next one waits. The own probes of agents, which need no worker, take at most 5s.',
    }),
    failureThreshold: {
      type: 'integer',
      default: 3,
      minimum: 1,
      maximum: 100,
      description:
        'When so many looks of a gateway in a row have shown no success, UpstreamHealthy says so: False when its probes failed, Unknown (Saturated) when no worker was free for them. Default 3, from 1 to 100.',
    },
    minFreeDiskBytes: bytes({
      default: '128Mi',
      min: '0',
      max: '1024Gi',
      description:
        'Bytes: with less free space on the root file system of an agent Ready has the reason LowDisk, and stays True. 0: never.',
    }),
  },
} as const;
