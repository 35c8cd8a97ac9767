import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Authority } from '../../lab/cluster/certificates.ts';
import { SPEED } from '../live/fast-time.ts';
import type { Patch } from '../live/patch.ts';
import { LiveProcess } from '../live/process.ts';
import type { AgentTarget } from './lab.ts';
import { RawGateway } from './raw-gateway.ts';
import { Upstream } from './upstream.ts';

/** What the agent is known by at its gateway, and its ServiceAccount at its API server. */
export const AGENT_TOKEN = 'ct1.tunnelspec';
export const ACCOUNT_TOKEN = 'tunnelspec-account';

/** An agent of our own source, with patches, in a process of its own; with a gateway and an upstream that cases steer. */
export class LiveAgent {
  readonly target: AgentTarget;
  readonly #folder: string;
  readonly #gateway: RawGateway;
  readonly #upstream: Upstream;
  readonly #patches: readonly Patch[];
  #process: LiveProcess | undefined;

  private constructor(
    folder: string,
    { gateway, upstream, namesake }: Pick<AgentTarget, 'gateway' | 'namesake'> & { readonly upstream: Upstream },
    patches: readonly Patch[],
  ) {
    this.#folder = folder;
    this.#gateway = gateway;
    this.#upstream = upstream;
    this.#patches = patches;
    this.target = {
      ...{ gateway, upstream, namesake, speed: SPEED },
      restart: () => this.#restart(),
      terminate: () => this.#process?.terminate(),
    };
  }

  static async start(patches: readonly Patch[] = []): Promise<LiveAgent> {
    const folder = await mkdtemp(join(tmpdir(), 'tunnelspec-'));
    const authority = await Authority.create('tunnelspec gateway');
    const pair = await authority.server('gateway', { dns: ['localhost'], ip: ['127.0.0.1'] });
    const { certificatePem: cert, keyPem: key } = pair;
    const other = await authority.server('other', { dns: ['other.example'], ip: [] });
    const namesake = { cert: other.certificatePem, key: other.keyPem };
    const gateway = await RawGateway.start({ host: '127.0.0.1', port: 0, cert, key });
    const upstream = await Upstream.start();
    // Where the kubelet mounts a pod's identity; CLUSTERTUNNEL_ROOT moves it below our folder.
    const account = join(folder, 'var/run/secrets/kubernetes.io/serviceaccount');
    const secret = join(folder, 'var/run/clustertunnel');
    await Promise.all([mkdir(account, { recursive: true }), mkdir(secret, { recursive: true })]);
    await Promise.all([
      writeFile(join(secret, 'token'), AGENT_TOKEN),
      writeFile(join(secret, 'ca.crt'), authority.certificatePem),
      writeFile(join(account, 'token'), ACCOUNT_TOKEN),
      writeFile(join(account, 'ca.crt'), upstream.ca),
    ]);
    const agent = new LiveAgent(folder, { gateway, upstream, namesake }, patches);
    try {
      await agent.#restart();
    } catch (error) {
      await agent.stop();
      throw error;
    }
    return agent;
  }

  /** Its end of the log. */
  get words(): string {
    return this.#process?.words ?? '';
  }

  async stop(): Promise<void> {
    await this.#process?.stop();
    await Promise.all([
      this.#gateway.close(),
      this.#upstream.close(),
      rm(this.#folder, { recursive: true, force: true }),
    ]);
  }

  async #restart(): Promise<void> {
    await this.#process?.stop();
    const backoff = ['--min-backoff', '100ms', '--max-backoff', '200ms'];
    const ops = ['--bind-address', '127.0.0.1', '--ops-port', '0', '--log-format', 'text'];
    this.#process = await LiveProcess.start({
      entry: 'hack/tunnelspec/live/agent.ts',
      patches: this.#patches,
      args: [
        'agent',
        '--gateway',
        `https://127.0.0.1:${this.#gateway.port}`,
        '--tunnel',
        'tunnelspec',
        ...backoff,
        ...ops,
      ],
      env: {
        CLUSTERTUNNEL_ROOT: this.#folder,
        KUBERNETES_SERVICE_HOST: '127.0.0.1',
        KUBERNETES_SERVICE_PORT: String(this.#upstream.port),
      },
    });
  }
}
