import { accessSchema } from './access-schema.ts';
import { agentSchema } from './agent-schema.ts';
import { cacheSchema } from './cache-schema.ts';
import { circuitBreakerSchema } from './circuit-breaker-schema.ts';
import { fallbackSchema } from './fallback-schema.ts';
import { bytes, duration } from './fields.ts';
import { healthSchema } from './health-schema.ts';
import { limitsSchema } from './limits-schema.ts';
import { atMost } from './quantity-rules.ts';
import { RULES_KEYWORD } from './rules.ts';

/** Names of the API, as every path, manifest and rule spells them. */
export const GROUP = 'clustertunnel.io';
export const VERSION = 'v1alpha1';
export const KIND = 'ClusterTunnel';
export const PLURAL = 'clustertunnels';
export const API_VERSION = `${GROUP}/${VERSION}` as const;

/**
 * The name becomes a part of the names of the agent's objects, and a path segment at the gateway.
 * 40 leaves room for prefix, ReplicaSet hash and pod suffix within 63 characters.
 */
export const NAME_MAX_LENGTH = 40;
export const NAME_PATTERN = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$';

const timeoutsSchema = {
  type: 'object',
  additionalProperties: false,
  description: 'How long each step may take. Durations such as 500ms, 10s or 2m. Changes reach running agents at once.',
  default: {},
  properties: {
    connect: duration({
      default: '10s',
      min: '100ms',
      max: '5m',
      description: 'Agent to API server: TCP and TLS. Beyond it the client gets 503.',
    }),
    upstreamHeaders: duration({
      default: '30s',
      min: '100ms',
      max: '1h',
      description: 'API server: from the request sent to the first byte of the answer. Beyond it the client gets 504.',
    }),
    request: duration({
      default: '2m',
      min: '1s',
      max: '1h',
      description:
        'A whole ordinary request at the agent; the gateway waits 10s longer. Watches, logs and exec are exempt.',
    }),
    backpressure: duration({
      default: '10s',
      min: '1s',
      max: '1h',
      description: 'A response whose client reads nothing for this long is cut. Watches, logs and exec are exempt.',
    }),
    controlWrite: duration({
      default: '5s',
      min: '1s',
      max: '1m',
      description: 'A session whose control frames cannot be written for this long is dead.',
    }),
    dataWrite: duration({
      default: '30s',
      min: '1s',
      max: '10m',
      description: 'A session whose data cannot be written for this long is dead.',
    }),
    disconnectGrace: duration({
      default: '10s',
      min: '0s',
      max: '5m',
      description: 'How long a request waits for a lost agent to come back before the client gets 503.',
    }),
    drain: duration({
      default: '30s',
      min: '0s',
      max: '1h',
      description:
        'How long a stopping agent finishes running requests before it exits. The grace period of its pods follows, so a change rolls the pods of a Local agent.',
    }),
  },
} as const;

const reconnectSchema = {
  type: 'object',
  additionalProperties: false,
  description:
    'How an agent that lost its session dials again: for ever, with random delays that grow. A change rolls the pods of a Local agent.',
  default: {},
  properties: {
    minBackoff: duration({
      default: '1s',
      min: '100ms',
      max: '10m',
      description: 'The first delay is at most this. At most maxBackoff.',
    }),
    maxBackoff: duration({ default: '30s', min: '1s', max: '1h', description: 'No delay is longer than this.' }),
  },
  [RULES_KEYWORD]: [
    atMost({
      kind: 'duration',
      smaller: 'minBackoff',
      larger: 'maxBackoff',
      least: '1s',
      message: 'must not exceed reconnect.maxBackoff: lower it, or raise reconnect.maxBackoff',
    }),
  ],
} as const;

const compressionSchema = {
  type: 'object',
  additionalProperties: false,
  description:
    'Whether large answers are deflated between agent and gateway for clients that do not ask for compression themselves. What a client asks for with Accept-Encoding is between it and the API server. Changes reach running agents at once.',
  default: {},
  properties: {
    mode: {
      type: 'string',
      enum: ['Auto', 'Off'],
      default: 'Auto',
      description:
        'Auto: while the link between agent and gateway is measured to be slow, JSON that is read from built-in kinds is deflated on it. Never Secrets, watches, logs, exec or proxied services. Off: nothing is. Default Auto.',
    },
    minBytes: bytes({
      default: '64Ki',
      min: '1Ki',
      max: '64Mi',
      description:
        'Bytes: shorter answers are not deflated. Of a list the API server does not say how long it is: then it counts as long enough.',
    }),
  },
} as const;

/** What a user writes: the single source of CRD, types, defaults and validation. */
export const specSchema = {
  type: 'object',
  additionalProperties: false,
  description: 'What the tunnel shall be. Every field has a default: `spec: {}` is a working tunnel.',
  properties: {
    suspend: {
      type: 'boolean',
      default: false,
      description:
        'Stops the tunnel without removing it: the agent is scaled to 0, sessions end when their requests have, new requests get 503. Default false.',
    },
    agent: agentSchema,
    access: accessSchema,
    limits: limitsSchema,
    timeouts: timeoutsSchema,
    reconnect: reconnectSchema,
    circuitBreaker: circuitBreakerSchema,
    cache: cacheSchema,
    compression: compressionSchema,
    health: healthSchema,
    fallback: fallbackSchema,
  },
} as const;
