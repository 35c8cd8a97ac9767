import { randomBytes } from 'node:crypto';
import { agentSettings } from '../../../crds/agent-settings.ts';
import { type AgentKey, mintAgentToken } from '../../../crds/agent-token.ts';
import { validateSpec } from '../../../crds/validate.ts';
import { Authority } from '../../lab/cluster/certificates.ts';
import { SPEED } from '../live/fast-time.ts';
import type { LiveGatewayInput, TunnelChange } from '../live/gateway.ts';
import type { Patch } from '../live/patch.ts';
import { LiveProcess } from '../live/process.ts';
import { RESERVED_EXTRA } from './extras.ts';
import type { GatewayTarget } from './lab.ts';

/** Tunnels of a gateway that tunnelspec starts: so many cases run at once. */
export const LIVE_TUNNELS = 8;
const USER_TOKEN = 'tunnelspec-user';
const EXTRA = 'tunnelspec.example/scopes';

/** A gateway of our own source, with patches, in a process of its own. */
export class LiveGateway {
  readonly process: LiveProcess;
  /** One a tunnel. */
  readonly targets: readonly GatewayTarget[];

  private constructor(process: LiveProcess, targets: readonly GatewayTarget[]) {
    this.process = process;
    this.targets = targets;
  }

  static async start(patches: readonly Patch[] = []): Promise<LiveGateway> {
    const authority = await Authority.create('tunnelspec');
    const pair = await authority.server('gateway', { dns: ['localhost'], ip: ['127.0.0.1'] });
    const tunnels = Array.from({ length: LIVE_TUNNELS }, (_, at) => mintFor(`spec-${at}`));
    const input: LiveGatewayInput = {
      certificate: { cert: pair.certificatePem, key: pair.keyPem },
      keys: tunnels.map(({ key }) => key),
      settings: settingsWithExtras(),
      userToken: USER_TOKEN,
    };
    const process = await LiveProcess.start({ entry: 'hack/tunnelspec/live/gateway.ts', patches, input });
    try {
      const { port } = JSON.parse(await process.firstLine()) as { port: number };
      const url = `https://localhost:${port}`;
      const shared = { url, ca: authority.certificatePem, userToken: USER_TOKEN, extra: EXTRA, speed: SPEED };
      return new LiveGateway(
        process,
        tunnels.map(({ token, key: { tunnel } }) => ({
          ...shared,
          tunnel,
          agentToken: token,
          suspend: (isSuspended) => process.ask({ tunnel, isSuspended } satisfies TunnelChange),
        })),
      );
    } catch (error) {
      await process.stop();
      throw error;
    }
  }

  stop(): Promise<void> {
    return this.process.stop();
  }
}

function mintFor(tunnel: string): { token: string; key: AgentKey } {
  const { token, keyId, sha256 } = mintAgentToken(randomBytes);
  return { token, key: { keyId, sha256, createdAt: '2026-01-01T00:00:00Z', tunnel, tunnelUid: `uid-${tunnel}` } };
}

/** The CRD's, and extras: one that may pass, and one that an old tunnel could name. */
function settingsWithExtras() {
  const validated = validateSpec({});
  if ('errors' in validated) throw new RangeError(`the CRD's own defaults are invalid: ${validated.errors.join(', ')}`);
  const settings = agentSettings(validated.spec, { uid: '', generation: 1 });
  return { ...settings, access: { ...settings.access, extras: [EXTRA, RESERVED_EXTRA] } };
}
