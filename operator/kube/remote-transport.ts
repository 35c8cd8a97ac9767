import type { Clock } from '../../process/clock.ts';
import type { InlineKubeconfig } from './inline-kubeconfig.ts';
import { kubeConfigOf } from './kube-config.ts';
import { createTransport, type Transport, type TransportLimits } from './transport.ts';

/**
 * A cluster that is not ours may hang, and may send what it likes. A worker waits 10 s for one call at most;
 * 8 MiB hold all that we ever ask for, which are our own few objects.
 */
const LIMITS: TransportLimits = {
  maxConnections: 2,
  connectTimeoutMs: 5_000,
  maxResponseBytes: 8 * 2 ** 20,
  callTimeoutMs: 10_000,
  headersTimeoutMs: 10_000,
  maxAttempts: 2,
};

/** A transport with TLS material and connections of its own; nothing is dialled before the first call. */
export function remoteTransport(kubeconfig: InlineKubeconfig, clock: Clock): Transport {
  return createTransport({ config: kubeConfigOf(kubeconfig), clock, ...LIMITS });
}
