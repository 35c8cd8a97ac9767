import { randomBytes } from 'node:crypto';
import { agentSettings } from '../../../crds/agent-settings.ts';
import { type AgentKey, mintAgentToken } from '../../../crds/agent-token.ts';
import { validateSpec } from '../../../crds/validate.ts';
import { issueAuthority, issueServing } from '../../../operator/gateway/front/certificates.ts';
import { type Gateway, startGateway } from '../../../operator/gateway/gateway.ts';
import type { TunnelView } from '../../../operator/gateway/sessions/tunnels.ts';
import { systemClock } from '../../../process/clock.ts';
import { createLogger } from '../../../process/log.ts';
import { serve } from './serve.ts';

/** The operator's gateway with a hub that says yes: one tunnel, one user. */

/** As the operator's --max-buffer-bytes. */
const MAX_BUFFER_BYTES = 128 * 1024 * 1024;
const TUNNEL = 'bench';
const UID = 'bench-uid';
const USER = { authenticated: true, user: { username: 'bench', uid: 'bench', groups: ['system:authenticated'] } };

let gateway: Gateway | undefined;

const methods = {
  /** A fresh gateway; `spec` is the tunnel's. */
  async start({ spec = {} }: { readonly spec?: object }) {
    const checked = validateSpec(spec);
    if ('errors' in checked) throw new RangeError(checked.errors.join('; '));
    const view: TunnelView = {
      name: TUNNEL,
      uid: UID,
      isDeleting: false,
      isSuspended: false,
      settings: agentSettings(checked.spec, { uid: UID, generation: 1 }),
    };
    const { token, keyId, sha256 } = mintAgentToken(randomBytes);
    const key: AgentKey = { keyId, sha256, createdAt: new Date().toISOString(), tunnel: TUNNEL, tunnelUid: UID };
    const authority = await issueAuthority(new Date());
    gateway = await startGateway({
      host: '127.0.0.1',
      port: 0,
      certificate: await issueServing(authority, ['localhost', '127.0.0.1'], new Date()),
      externalUrl: 'https://localhost',
      maxBufferBytes: MAX_BUFFER_BYTES,
      replicaId: 'bench-0',
      tunnels: { get: (name) => (name === TUNNEL ? view : undefined), list: () => [view] },
      findKey: (id) => (id === keyId ? key : undefined),
      reviewToken: async () => USER,
      reviewAccess: async () => ({ allowed: true }),
      clock: systemClock,
      random: Math.random,
      log: createLogger({ level: 'info', format: 'json' }),
      onTunnelChange: () => {},
    });
    return { port: gateway.port, ca: authority.cert, agentToken: token };
  },

  counts: () => gateway?.counts(),
};

export type GatewayMethods = typeof methods;

serve(methods);
