import { bytes, duration } from './fields.ts';

/** spec.cache: what gateways remember of the API server's own description. */
export const cacheSchema = {
  type: 'object',
  additionalProperties: false,
  description:
    'Whether gateways remember what the API server says of itself: discovery, OpenAPI and version, for each user apart. Nothing else is remembered. Changes are in force at once.',
  default: {},
  properties: {
    enabled: {
      type: 'boolean',
      default: true,
      description: 'false: every request goes to the API server, and what was remembered is forgotten. Default true.',
    },
    ttl: duration({
      default: '10s',
      min: '1s',
      max: '10m',
      description:
        'So long an answer is given again unasked; then the API server is asked whether it changed. New kinds may show up this much later.',
    }),
    maxBytes: bytes({
      default: '16Mi',
      min: '1Mi',
      max: '256Mi',
      description:
        'Bytes that each gateway remembers of this tunnel; what was used least goes first. An answer larger than a quarter of it is not remembered. All tunnels together have half of --max-buffer-bytes.',
    }),
  },
} as const;
