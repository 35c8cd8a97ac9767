import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ApiClient } from '../lab/api/client.ts';
import { GatewayAccess } from '../lab/gateway-access.ts';
import { clientOf } from '../lab/kubeconfig-client.ts';
import { type KubectlOptions, type KubectlResult, kubectl } from '../lab/kubectl.ts';
import type { Progress } from '../lab/progress.ts';
import type { ClusterState, LabState } from '../lab/state.ts';
import type { UserName } from '../lab/users.ts';

/** Where the demo's users work at the target. */
export const NAMESPACE = 'demo';
export const LOCAL = 'local';
export const MANUAL = 'behind-nat';
export const KUBECONFIG = 'reachable';

/** The running lab, with what the steps need of it. */
export class Stage {
  readonly folder: string;
  readonly hub: ClusterState;
  /** Behind NAT: the operator is never told its address. */
  readonly target: ClusterState;
  /** The operator gets its kubeconfig. */
  readonly reachable: ClusterState;
  readonly gatewayUrl: string;
  readonly progress: Progress;
  readonly #kubectl: string;
  readonly #users: NonNullable<LabState['users']>;
  #access: GatewayAccess | undefined;

  constructor(folder: string, state: LabState, progress: Progress) {
    const [hub, target, reachable] = state.clusters;
    const { gatewayUrl, kubectl: program, users } = state;
    if (
      hub === undefined ||
      target === undefined ||
      reachable === undefined ||
      gatewayUrl === undefined ||
      program === undefined ||
      users === undefined
    ) {
      throw new Error('the lab is not complete');
    }
    this.folder = folder;
    this.hub = hub;
    this.target = target;
    this.reachable = reachable;
    this.gatewayUrl = gatewayUrl;
    this.progress = progress;
    this.#kubectl = program;
    this.#users = users;
  }

  get kubectlProgram(): { file: string; cacheFolder: string } {
    return { file: this.#kubectl, cacheFolder: join(this.folder, 'kubectl') };
  }

  /** kubectl as cluster administrator of `cluster`, or with a kubeconfig file. */
  kubectl(
    cluster: ClusterState | string,
    args: readonly string[],
    options: KubectlOptions = {},
  ): Promise<KubectlResult> {
    return kubectl(this.kubectlProgram, typeof cluster === 'string' ? cluster : cluster.kubeconfig, args, options);
  }

  /** A client of `cluster` itself, past every tunnel. */
  direct(cluster: ClusterState): ApiClient {
    return clientOf(cluster.kubeconfig);
  }

  /** Finds the way through the gateway; it is there once the operator runs. */
  async openGateway(): Promise<void> {
    const { folder, gatewayUrl } = this;
    this.#access = await GatewayAccess.open({ folder, gatewayUrl, hub: (args) => this.kubectl(this.hub, args) });
    writeFileSync(join(folder, 'gateway-ca.crt'), this.#access.caPem);
  }

  /** A kubeconfig of `user` whose server is a tunnel; the path of the file. */
  kubeconfigFor(user: UserName, tunnel: string): string {
    return this.#gateway.kubeconfigFor(this.#users[user], tunnel);
  }

  /** A client of the gateway as `user`, for what kubectl does not show: raw bytes. Paths start with /clusters/. */
  throughGateway(user: UserName): ApiClient {
    return this.#gateway.client(this.#users[user]);
  }

  get #gateway(): GatewayAccess {
    if (this.#access === undefined) throw new Error('the operator is not installed yet');
    return this.#access;
  }

  /** The audit records of `cluster` whose URI holds `text`. */
  audited(cluster: ClusterState, text: string): AuditRecord[] {
    const lines = readFileSync(join(cluster.dir, 'audit.log'), 'utf8').split('\n');
    return lines.filter((line) => line.includes(text)).map((line) => JSON.parse(line) as AuditRecord);
  }
}

/** One line of an API server's audit log (audit.k8s.io/v1 Event). */
export interface AuditRecord {
  readonly stage: 'RequestReceived' | 'ResponseStarted' | 'ResponseComplete' | 'Panic';
  readonly requestURI: string;
  readonly user: { readonly username: string };
  readonly impersonatedUser?: { readonly username: string };
}
