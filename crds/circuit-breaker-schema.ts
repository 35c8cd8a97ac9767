import { duration } from './fields.ts';
import { atMost } from './quantity-rules.ts';
import { RULES_KEYWORD } from './rules.ts';

/** spec.circuitBreaker: when the gateway stops sending requests into a tunnel, and for how long. */
export const circuitBreakerSchema = {
  type: 'object',
  additionalProperties: false,
  description:
    'When a gateway stops sending requests into this tunnel because none gets through, and for how long. Only lost sessions and an API server that the agent cannot reach count, never an answer of the API server. Changes are in force at once.',
  default: {},
  properties: {
    failureThreshold: {
      type: 'integer',
      default: 5,
      minimum: 1,
      maximum: 10_000,
      description:
        'So many failures in a row within window open the circuit: requests get 503 at once. A lost session counts once, however many requests it took. Default 5, from 1 to 10000.',
    },
    window: duration({
      default: '10s',
      min: '1s',
      max: '1h',
      description: 'Failures longer ago do not count.',
    }),
    openDuration: duration({
      default: '5s',
      min: '1s',
      max: '1h',
      description:
        'How long requests are refused, give or take 10 %, before one may try again. Twice as long each time that it fails, up to maxOpenDuration. At most maxOpenDuration.',
    }),
    maxOpenDuration: duration({
      default: '5m',
      min: '1s',
      max: '1h',
      description: 'Requests are never refused longer than this before one may try again.',
    }),
  },
  [RULES_KEYWORD]: [
    atMost({
      kind: 'duration',
      smaller: 'openDuration',
      larger: 'maxOpenDuration',
      least: '1s',
      message: 'must not exceed circuitBreaker.maxOpenDuration: lower it, or raise circuitBreaker.maxOpenDuration',
    }),
  ],
} as const;
