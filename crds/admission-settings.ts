import type { Spec } from './types.ts';

/** What of a tunnel's limits only its gateways need, so that CONFIG does not carry it. */
export interface AdmissionSettings {
  /** limits.maxQueuedRequests: of each pool, at each gateway. */
  readonly maxQueuedRequests: number;
  readonly rateLimit: { readonly requestsPerSecond: number; readonly burst: number };
}

/** How a gateway admits requests of a tunnel with this spec. */
export function admissionSettings({ limits: { maxQueuedRequests, rateLimit } }: Spec): AdmissionSettings {
  const { requestsPerSecond, burst } = rateLimit;
  return { maxQueuedRequests, rateLimit: { requestsPerSecond, burst } };
}
