import type { Clock } from '../../process/clock.ts';
import type { Logger } from '../../process/log.ts';
import type { Rate } from './admission/token-bucket.ts';
import type { FindTarget } from './fallback/target.ts';
import type { ReviewToken } from './front/authenticate.ts';
import type { ReviewAccess } from './front/authorize.ts';
import type { ServingCertificate } from './front/server.ts';
import type { GatewayMeter } from './meter.ts';
import type { FindAgentKey } from './sessions/agent-token.ts';
import type { Tunnels } from './sessions/tunnels.ts';

export interface GatewayOptions {
  readonly host: string;
  readonly port: number;
  /** Whether clients may speak HTTP/2; they may unless told. */
  readonly http2?: boolean;
  readonly certificate: ServingCertificate;
  /** Under which users reach it: https://host[:port]. */
  readonly externalUrl: string;
  /** Sum of receive windows of this process, in bytes; the cache holds at most half as much again. */
  readonly maxBufferBytes: number;
  readonly replicaId: string;
  readonly tunnels: Tunnels;
  readonly findKey: FindAgentKey;
  /** Of spec.fallback; without it no tunnel has one. */
  readonly findFallback?: FindTarget;
  readonly reviewToken: ReviewToken;
  readonly reviewAccess: ReviewAccess;
  /** Of web pages that may ask, beside the gateway's own: https://host[:port]. */
  readonly allowedOrigins?: readonly string[];
  /** Tokens must be for one of these; none: for the hub's API server. */
  readonly tokenAudiences?: readonly string[];
  /** Unknown tokens that one address may try a second, in the long run; any number unless told. */
  readonly failedLoginsPerSecond?: number;
  /** Of each user over all tunnels; any unless told. */
  readonly userRate?: Rate | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  /** How long the head of a request may take; 10 s unless told. */
  readonly headTimeoutMs?: number;
  /** A request was answered by the gateway itself, for the cause of this code. */
  readonly onRefused?: (code: string) => void;
  readonly meter?: GatewayMeter;
  /** What is known of a tunnel's sessions changed. */
  readonly onTunnelChange: (tunnel: string) => void;
}
