/**
 * A gateway as the operator runs it, with a hub that is a stub: it knows the tunnels, keys and users of one line of JSON on standard
 * input. Prints `{port}`, and ends when its standard input does. Each further line changes a tunnel, and is printed when that is done.
 */
import { createInterface } from 'node:readline';
import type { AgentSettings } from '../../../crds/agent-settings.ts';
import type { AgentKey } from '../../../crds/agent-token.ts';
import { DEFAULT_CACHE } from '../../../crds/cache.ts';
import { DEFAULT_CIRCUIT_BREAKER } from '../../../crds/circuit-breaker.ts';
import type { ServingCertificate } from '../../../operator/gateway/front/server.ts';
import { startGateway } from '../../../operator/gateway/gateway.ts';
import type { TunnelView } from '../../../operator/gateway/sessions/tunnels.ts';
import { systemClock } from '../../../process/clock.ts';
import { createLogger } from '../../../process/log.ts';

export interface LiveGatewayInput {
  readonly certificate: ServingCertificate;
  readonly keys: readonly AgentKey[];
  readonly settings: AgentSettings;
  /** The one bearer token that is known. */
  readonly userToken: string;
}

/** spec.suspend of one tunnel. */
export interface TunnelChange {
  readonly tunnel: string;
  readonly isSuspended: boolean;
}

const lines = createInterface({ input: process.stdin });
lines.once('close', () => process.exit());
lines.once('line', (line) => void serve(JSON.parse(line) as LiveGatewayInput));

async function serve({ certificate, keys, settings, userToken }: LiveGatewayInput): Promise<void> {
  const byId = new Map(keys.map((key) => [key.keyId, key]));
  const views = new Map<string, TunnelView>(
    keys.map(({ tunnel: name, tunnelUid: uid }) => [
      name,
      {
        name,
        uid,
        isDeleting: false,
        isSuspended: false,
        settings: { ...settings, tunnelUid: uid },
        // The suite's peers break sessions all the time.
        circuitBreaker: { ...DEFAULT_CIRCUIT_BREAKER, failureThreshold: 10_000 },
        // Every request of the suite is to reach its target.
        cache: { ...DEFAULT_CACHE, enabled: false },
      },
    ]),
  );
  const gateway = await startGateway({
    host: '127.0.0.1',
    port: 0,
    certificate,
    externalUrl: 'https://localhost',
    maxBufferBytes: 64 * 1024 * 1024,
    replicaId: 'tunnelspec',
    tunnels: { get: (name) => views.get(name), list: () => [...views.values()] },
    findKey: (keyId) => byId.get(keyId),
    reviewToken: async (token) => ({
      authenticated: token === userToken,
      user: { username: 'tunnelspec', groups: ['system:authenticated'] },
    }),
    reviewAccess: async () => ({ allowed: true }),
    clock: systemClock,
    random: Math.random,
    log: createLogger({ level: 'error', format: 'text', stream: process.stderr }),
    onTunnelChange: () => {},
  });
  lines.on('line', (line) => {
    const { tunnel, isSuspended } = JSON.parse(line) as TunnelChange;
    const view = views.get(tunnel);
    if (view !== undefined) views.set(tunnel, { ...view, isSuspended });
    gateway.tunnelChanged(tunnel);
    process.stdout.write(`${line}\n`);
  });
  process.stdout.write(`${JSON.stringify({ port: gateway.port })}\n`);
}
