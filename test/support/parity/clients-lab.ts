import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type KubectlResult, kubectl } from '../../../hack/lab/kubectl.ts';
import { InstalledLab } from '../installed-lab.ts';
import type { Command } from './command.ts';

const TUNNEL = 'far';
const CHATTER = fileURLToPath(new URL('../chatter.mjs', import.meta.url));
const IMAGES = {
  chatter: [process.execPath, CHATTER],
  finisher: [process.execPath, '--eval', 'console.log("finished")'],
};
/** Longer than any command may take by its own options. */
const RUN_MS = 120_000;
const PERSON = 'lab-admin';
const GROUPS = ['lab:admins', 'system:authenticated'];

/** How a client reaches the target: straight by impersonation, or through the gateway by the person's own token. */
export interface Way {
  readonly name: string;
  readonly isDirect: boolean;
  /** Go's client falls back to HTTP/1.1 when it is told to. */
  readonly environment: Readonly<Record<string, string>>;
}

export const DIRECT: Way = { name: 'directly', isDirect: true, environment: {} };
export const HTTP2: Way = { name: 'over HTTP/2', isDirect: false, environment: {} };
export const HTTP1: Way = { name: 'over HTTP/1.1', isDirect: false, environment: { GODEBUG: 'http2client=0' } };
export const WAYS: readonly Way[] = [DIRECT, HTTP2, HTTP1];

/** A hub, a target and a tunnel to it, and one person who may do everything there. */
export class ClientsLab {
  readonly lab: InstalledLab;
  /** Written once: commands read it at any time. */
  readonly #throughGateway: string;

  private constructor(lab: InstalledLab) {
    this.lab = lab;
    this.#throughGateway = lab.kubeconfigFor(TUNNEL, PERSON);
  }

  static async start(): Promise<ClientsLab> {
    const lab = await InstalledLab.start({ targets: 1, images: IMAGES });
    try {
      await lab.apply({
        apiVersion: 'clustertunnel.io/v1alpha1',
        kind: 'ClusterTunnel',
        metadata: { name: TUNNEL },
        spec: { agent: { placement: 'Manual', replicas: 1 } },
      });
      const binding = ['create', 'clusterrolebinding', 'admins', '--group=lab:admins'];
      await lab.hub([...binding, '--clusterrole=clustertunnel-user']);
      await lab.lab.kubectl(lab.target, [...binding, '--clusterrole=cluster-admin']);
      await lab.hub(['wait', `ct/${TUNNEL}`, '--for=create', '--timeout=10s']);
      await lab.applyManifest(TUNNEL, lab.target);
      await lab.waitReady(TUNNEL);
      const clients = new ClientsLab(lab);
      clients.#writeCredentials();
      return clients;
    } catch (error) {
      await lab.stop();
      throw error;
    }
  }

  stop(): Promise<void> {
    return this.lab.stop();
  }

  /** kubectl, one way. A failure is a result. */
  kubectl(way: Way, command: Command): Promise<KubectlResult> {
    return this.run(this.lab.lab.binaries.files.kubectl, way, command);
  }

  /** The same for any program that reads $KUBECONFIG. */
  run(file: string, way: Way, { args, input = '', environment }: Command): Promise<KubectlResult> {
    return kubectl({ file, cacheFolder: join(this.lab.dir, 'kubectl') }, this.#kubeconfig(way), args, {
      input,
      mayFail: true,
      timeoutMs: RUN_MS,
      environment: { ...way.environment, ...environment },
    });
  }

  /** The target's API. */
  url({ isDirect }: Way): string {
    return isDirect ? this.lab.target.url : `${this.lab.lab.gatewayUrl}/clusters/${TUNNEL}`;
  }

  /** The path of a file with curl's options for one way: whom to trust, and who is asking. */
  curlConfig({ isDirect }: Way): string {
    return join(this.lab.dir, isDirect ? 'direct.curl' : 'gateway.curl');
  }

  /** The same for a token that nobody knows, through the gateway. */
  get strangersCurlConfig(): string {
    return join(this.lab.dir, 'stranger.curl');
  }

  #kubeconfig({ isDirect }: Way): string {
    return isDirect ? join(this.lab.dir, 'direct.kubeconfig') : this.#throughGateway;
  }

  #writeCredentials(): void {
    const { target, dir, gatewayCa, lab } = this.lab;
    const put = (name: string, text: string): string => {
      writeFileSync(join(dir, name), text, { mode: 0o600 });
      return join(dir, name);
    };
    const config = JSON.parse(readFileSync(target.kubeconfigPath, 'utf8'));
    const [{ user }] = config.users;
    const decoded = (key: string): string => Buffer.from(user[key], 'base64').toString('utf8');
    const groups = GROUPS.map((group) => `header = "Impersonate-Group: ${group}"`);
    const direct = [
      `cacert = "${target.caPath}"`,
      `cert = "${put('direct.crt', decoded('client-certificate-data'))}"`,
      `key = "${put('direct.key', decoded('client-key-data'))}"`,
      `header = "Impersonate-User: ${PERSON}"`,
      ...groups,
    ];
    put('direct.curl', direct.join('\n'));
    const bearer = (token: string): string =>
      `cacert = "${put('gateway.crt', gatewayCa)}"\nheader = "Authorization: Bearer ${token}"`;
    put('gateway.curl', bearer(lab.users[PERSON].token));
    put('stranger.curl', bearer('nobody'));
    Object.assign(user, { as: PERSON, 'as-uid': PERSON, 'as-groups': GROUPS });
    put('direct.kubeconfig', JSON.stringify(config));
  }
}
