import { DEFAULT_CACHE } from '../../../crds/cache.ts';
import { type Gateway, startGateway } from '../../../operator/gateway/gateway.ts';
import type { TunnelView } from '../../../operator/gateway/sessions/tunnels.ts';
import { systemClock } from '../../../process/clock.ts';
import { createLogger } from '../../../process/log.ts';
import type { GatewayPlan } from '../gateway-plan.ts';
import { heldHeapBytes } from '../heap.ts';
import { serve } from '../serve.ts';

/** The operator's gateway with a hub that says yes: a bearer token is the name of its user, and every user may do everything. */

/** As the operator's --max-buffer-bytes. */
const MAX_BUFFER_BYTES = 128 * 1024 * 1024;

interface Start {
  readonly plan: GatewayPlan;
  /** 0: any. */
  readonly port?: number;
  /** The tunnels are older than this process: their agents are on their way back. */
  readonly isRestart?: boolean;
}

let gateway: Gateway | undefined;

const methods = {
  /** Resolves with its port. */
  async start({ plan, port = 0, isRestart = false }: Start): Promise<number> {
    const views = new Map<string, TunnelView>();
    for (const { name, uid, settings, circuitBreaker } of plan.tunnels) {
      const state = { isDeleting: false, isSuspended: false, predatesGateway: isRestart };
      views.set(name, { name, uid, settings, circuitBreaker, cache: DEFAULT_CACHE, ...state });
    }
    const keys = new Map(plan.tunnels.map(({ key }) => [key.keyId, key]));
    gateway = await startGateway({
      host: '127.0.0.1',
      port,
      certificate: plan.certificate,
      externalUrl: 'https://localhost',
      maxBufferBytes: MAX_BUFFER_BYTES,
      replicaId: 'gateway-0',
      tunnels: { get: (name) => views.get(name), list: () => [...views.values()] },
      findKey: (id) => keys.get(id),
      reviewToken: async (token) => ({ authenticated: true, user: userOf(token) }),
      reviewAccess: async () => ({ allowed: true }),
      clock: systemClock,
      random: Math.random,
      log: createLogger({ level: 'info', format: 'json' }),
      onTunnelChange: () => {},
    });
    return gateway.port;
  },

  counts: () => gateway?.counts(),

  heap: () => heldHeapBytes(),
};

export type GatewayMethods = typeof methods;

serve(methods);

function userOf(name: string) {
  return { username: name, uid: name, groups: ['system:authenticated'] };
}
