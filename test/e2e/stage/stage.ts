import { join } from 'node:path';
import { expect } from 'chai';
import { findNodeBinaries } from '../../../hack/lab/binaries/locate.ts';
import { type KubectlOptions, type KubectlResult, kubectl, kubectlEnvironment } from '../../../hack/lab/kubectl.ts';
import { findNodeTools } from '../../../hack/lab/kubelet-node/prerequisites.ts';
import { labFolder } from '../../../hack/lab/paths.ts';
import { InstalledLab, whyNoControlPlane } from '../../support/installed-lab.ts';
import { PODS } from './pods.ts';
import { Session } from './session.ts';

export const TUNNEL = 'far';
/** `npm run lab -- down --name e2e` removes what a killed run left. */
const FOLDER = labFolder('e2e');
const START_TIMEOUT_MS = 240_000;
const STOP_TIMEOUT_MS = 60_000;

/** How kubectl reaches the target: straight to its API server, or through the gateway. Both times as lab-admin. */
export const WAYS = ['direct', 'gateway'] as const;
export type Way = (typeof WAYS)[number];

/** What kubectl upgrades its connection to. */
export const PROTOCOLS = ['WebSocket', 'SPDY'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** Why there can be no real nodes here; undefined where there can. */
export function whyNoRealNodes(): string | undefined {
  const tools = findNodeTools();
  if ('reason' in tools) return tools.reason;
  const binaries = findNodeBinaries();
  return whyNoControlPlane() ?? ('reason' in binaries ? binaries.reason : undefined);
}

const reason = whyNoRealNodes();
if (reason !== undefined) process.stdout.write(`  skipped: ${reason}\n`);
let starting: Promise<InstalledLab> | undefined;
let started: InstalledLab | undefined;

/** A suite on the one lab of this run: a hub with the operator, and a target with a real node and an agent in a pod. */
export function onRealNodes(title: string, suite: () => void): void {
  whereRealNodesCanBe(title, () => {
    before(async function () {
      this.timeout(START_TIMEOUT_MS);
      starting ??= start();
      await starting;
    });
    suite();
  });
}

/** A suite that starts its own lab, if any. */
export function whereRealNodesCanBe(title: string, suite: () => void): void {
  if (reason === undefined) describe(title, suite);
  else describe.skip(title, suite);
}

after(async function () {
  this.timeout(STOP_TIMEOUT_MS);
  await started?.stop();
});

export function stage(): InstalledLab {
  if (started === undefined) throw new Error('the lab has not started');
  return started;
}

/** kubectl at the target, one way. A failure is a result. */
export function at(way: Way, args: readonly string[], options: KubectlOptions = {}): Promise<KubectlResult> {
  const { file, cacheFolder, kubeconfig, prefix } = client(way);
  return kubectl({ file, cacheFolder }, kubeconfig, [...prefix, ...args], {
    mayFail: true,
    timeoutMs: 40_000,
    ...options,
  });
}

/** The same command both ways at once: what it says and how it ends must not differ. Returns what it said. */
export async function same(args: readonly string[], options: KubectlOptions = {}): Promise<KubectlResult> {
  const [direct, gateway] = await Promise.all([at('direct', args, options), at('gateway', args, options)]);
  expect(withoutIds(gateway)).to.deep.equal(withoutIds(direct));
  return gateway;
}

/** The container runtime numbers each exec, and says so in its complaints. */
function withoutIds({ exitCode, stdout, stderr }: KubectlResult): KubectlResult {
  return { exitCode, stdout, stderr: stderr.replaceAll(/[0-9a-f]{64}/g, '<id>') };
}

/** kubectl that runs while the test talks to it. */
export function session(way: Way, args: readonly string[], protocol: Protocol): Session {
  const { file, cacheFolder, kubeconfig, prefix } = client(way);
  const environment = { ...kubectlEnvironment(cacheFolder, kubeconfig), ...switches(protocol) };
  return new Session({ file, args: [...prefix, ...args], environment });
}

/** The same in a terminal of 30 rows and 100 columns, which is named in the first line. */
export function terminalSession(way: Way, args: readonly string[], protocol: Protocol): Session {
  const { file, cacheFolder, kubeconfig, prefix } = client(way);
  const environment = { ...kubectlEnvironment(cacheFolder, kubeconfig), ...switches(protocol), TERM: 'xterm' };
  const quoted = [file, ...prefix, ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  const command = `tty; stty rows 30 cols 100; exec ${quoted}`;
  return new Session({ file: 'script', args: ['--quiet', '--return', '--command', command, '/dev/null'], environment });
}

/** kubectl's own switches between the two protocols. */
export function switches(protocol: Protocol): Record<string, string> {
  const on = String(protocol === 'WebSocket');
  return { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: on, KUBECTL_PORT_FORWARD_WEBSOCKETS: on };
}

function client(way: Way) {
  const { lab, dir } = stage();
  const shared = { file: lab.binaries.files.kubectl, cacheFolder: join(dir, 'kubectl') };
  if (way === 'gateway') return { ...shared, kubeconfig: stage().kubeconfigFor(TUNNEL, 'lab-admin'), prefix: [] };
  return { ...shared, kubeconfig: stage().target.kubeconfigPath, prefix: ['--as=lab-admin', '--as-group=lab:admins'] };
}

async function start(): Promise<InstalledLab> {
  started = await InstalledLab.start({ dir: FOLDER, targets: 1, nodes: 'kubelet' });
  await installTunnel(started);
  return started;
}

async function installTunnel(lab: InstalledLab): Promise<void> {
  await lab.apply({
    apiVersion: 'clustertunnel.io/v1alpha1',
    kind: 'ClusterTunnel',
    metadata: { name: TUNNEL },
    spec: { agent: { placement: 'Manual', replicas: 1 } },
  });
  const role = ['--clusterrole=clustertunnel-user'];
  await lab.hub(['create', 'clusterrolebinding', 'users', ...role, '--group=lab:admins', '--user=alice']);
  await lab.applyManifest(TUNNEL, lab.target);
  await lab.waitReady(TUNNEL);
  await lab.lab.kubectl(lab.target, ['apply', '-f', '-'], { input: JSON.stringify(PODS) });
  await lab.lab.kubectl(lab.target, ['wait', 'pod', '--all', '--for=condition=Ready', '--timeout=60s'], {
    timeoutMs: 65_000,
  });
}
