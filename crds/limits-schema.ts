import { bytes } from './fields.ts';
import { atMost } from './quantity-rules.ts';
import { RULES_KEYWORD } from './rules.ts';

const rateLimitSchema = {
  type: 'object',
  additionalProperties: false,
  description:
    'How many requests may come in a second, at each gateway, whosesoever. Beyond it the client gets 429. One user has a rate of his own by flags of the gateway.',
  default: {},
  properties: {
    requestsPerSecond: {
      type: 'integer',
      default: 500,
      minimum: 1,
      maximum: 100_000,
      description: 'Requests a second in the long run. Default 500, from 1 to 100000.',
    },
    burst: {
      type: 'integer',
      default: 1000,
      minimum: 1,
      maximum: 100_000,
      description: 'Requests that may come at once after a quiet time. Default 1000, from 1 to 100000.',
    },
  },
} as const;

/** spec.limits. */
export const limitsSchema = {
  type: 'object',
  additionalProperties: false,
  description: 'Bounds of what the tunnel carries at once. Changes reach running agents at once, without a restart.',
  default: {},
  properties: {
    maxConcurrentRequests: {
      type: 'integer',
      default: 64,
      minimum: 1,
      maximum: 4096,
      description:
        'Requests that one agent process runs at once at its API server. More wait at the gateway. Default 64, from 1 to 4096.',
    },
    maxLongRunningRequests: {
      type: 'integer',
      default: 1000,
      minimum: 1,
      maximum: 16_384,
      description:
        'Watches, logs, exec, attach, port-forward and proxied requests that one agent process runs at once, beside those of maxConcurrentRequests. More wait at the gateway. Default 1000, from 1 to 16384.',
    },
    maxQueuedRequests: {
      type: 'integer',
      default: 2000,
      minimum: 0,
      maximum: 100_000,
      description:
        'Requests that wait at each gateway until a worker is free, of either kind, at most until timeouts.request. Beyond it the client gets 429. Default 2000, from 0 to 100000.',
    },
    maxStreamsPerSession: {
      type: 'integer',
      default: 2000,
      minimum: 1,
      maximum: 65_536,
      description:
        'Requests on one session of an agent, and of those that wait as many as its sessions could take. Beyond it the client gets 429. Default 2000, from 1 to 65536.',
    },
    rateLimit: rateLimitSchema,
    maxStreamBufferBytes: bytes({
      default: '4Mi',
      min: '64Ki',
      max: '256Mi',
      description:
        'Bytes: how much of one response may be under way or waiting for a slow reader. At most maxBufferBytes.',
    }),
    maxBufferBytes: bytes({
      default: '32Mi',
      min: '1Mi',
      max: '4Gi',
      description: 'Bytes: the same for all responses of one agent process together.',
    }),
  },
  [RULES_KEYWORD]: [
    atMost({
      kind: 'bytes',
      smaller: 'maxStreamBufferBytes',
      larger: 'maxBufferBytes',
      least: '1Mi',
      message: 'must not exceed limits.maxBufferBytes: lower it, or raise limits.maxBufferBytes',
    }),
  ],
} as const;
