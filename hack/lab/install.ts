import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { text } from 'node:stream/consumers';
import { type KubectlProgram, kubectl } from './kubectl.ts';
import { PROGRAM, REPOSITORY } from './paths.ts';
import { type Progress, reportIfSlow } from './progress.ts';

export interface InstallOptions {
  /** Of the lab: the overlay is written below it. */
  readonly folder: string;
  readonly gatewayUrl: string;
  readonly hubKubeconfig: string;
  readonly kubectl: KubectlProgram;
  readonly progress: Progress;
  /** More environment of the operator. */
  readonly environment?: Readonly<Record<string, string>>;
}

const NAMESPACE = 'clustertunnel-system';
const DEPLOYMENT = 'clustertunnel-operator';
const SOURCES = [
  'tunnel',
  'crds',
  'process',
  'operator',
  'agent',
  'cli',
  'package.json',
  'tsconfig.build.json',
  'tsconfig.json',
];
const AVAILABLE_SECONDS = 120;
/** Touched by every build that succeeded. */
const BUILT_NOTE = join(REPOSITORY, 'dist', '.built');

/** Installs the operator of this checkout into the hub, as a user would: kustomize over config/default. */
export async function installOperator(options: InstallOptions): Promise<void> {
  const { folder, progress, hubKubeconfig } = options;
  await ensureBuilt(progress);
  const overlay = join(folder, 'install');
  // The lab's Services forget a pod at once.
  const ours = { CLUSTERTUNNEL_EXTERNAL_URL: options.gatewayUrl, CLUSTERTUNNEL_SHUTDOWN_DELAY: '0' };
  const environment = { ...ours, ...options.environment };
  writeOverlay(overlay, environment, new Date(newestMs(BUILT_NOTE)).toISOString());
  const run = (args: readonly string[], timeoutMs: number) =>
    kubectl(options.kubectl, hubKubeconfig, args, { timeoutMs });
  await reportIfSlow(
    progress,
    'applying config/default',
    run(['apply', '--server-side', '--force-conflicts', '-k', overlay], 60_000),
  );
  // Available alone may still speak of the pods before this apply.
  const wait = ['-n', NAMESPACE, 'rollout', 'status', `deployment/${DEPLOYMENT}`, `--timeout=${AVAILABLE_SECONDS}s`];
  try {
    await reportIfSlow(progress, 'waiting for the operator', run(wait, (AVAILABLE_SECONDS + 10) * 1000));
  } catch (cause) {
    throw new Error(`The operator did not become Available.\n${await whatIsWrong(options)}`, { cause });
  }
}

/**
 * An overlay of config/default with this environment: where the gateway is reached from outside, at least.
 * The image's name never changes here, so the build is noted on the pods: a new one rolls the Deployment.
 */
export function writeOverlay(overlay: string, environment: Readonly<Record<string, string>>, builtAt: string): void {
  mkdirSync(overlay, { recursive: true });
  const env = Object.entries(environment).map(([name, value]) => ({ name, value }));
  const patch = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: DEPLOYMENT, namespace: NAMESPACE },
    spec: {
      template: {
        metadata: { annotations: { 'lab.clustertunnel.io/built-at': builtAt } },
        spec: { containers: [{ name: 'operator', env }] },
      },
    },
  };
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: [relative(overlay, join(REPOSITORY, 'config/default'))],
    patches: [{ path: 'environment.yaml' }],
  };
  // JSON is YAML.
  writeFileSync(join(overlay, 'environment.yaml'), `${JSON.stringify(patch, undefined, 2)}\n`);
  writeFileSync(join(overlay, 'kustomization.yaml'), `${JSON.stringify(kustomization, undefined, 2)}\n`);
}

/**
 * Builds dist if there is none or a source is newer than the last good build. The compiler writes files even when it
 * finds errors, so dist's own times prove nothing: a good build is noted. @throws Error with the compiler's words
 */
export async function ensureBuilt(progress: Progress): Promise<void> {
  const startedMs = Date.now();
  const builtMs = newestMs(PROGRAM) === 0 ? 0 : newestMs(BUILT_NOTE);
  if (builtMs > Math.max(...SOURCES.map((source) => newestMs(join(REPOSITORY, source))))) return;
  progress('building dist');
  const child = spawn('npm', ['run', '--silent', 'build'], { cwd: REPOSITORY, stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
  const building = Promise.all([text(child.stdout), text(child.stderr), exited]);
  const [stdout, stderr, exitCode] = await reportIfSlow(progress, 'npm run build', building);
  if (exitCode !== 0) throw new Error(`npm run build failed:\n${stdout}${stderr}`);
  // What was saved while the compiler ran is newer than what it read.
  writeFileSync(BUILT_NOTE, '');
  utimesSync(BUILT_NOTE, startedMs / 1000, startedMs / 1000);
}

/** The latest change at or below `path`; 0 if there is nothing. */
function newestMs(path: string): number {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 0;
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newestMs(join(path, name))));
}

/** What a person would look at first. */
async function whatIsWrong({ kubectl: program, hubKubeconfig }: InstallOptions): Promise<string> {
  const show = async (...args: string[]): Promise<string> => {
    const { stdout, stderr } = await kubectl(program, hubKubeconfig, ['-n', NAMESPACE, ...args], { mayFail: true });
    return stdout + stderr;
  };
  return (
    (await show('get', 'deployments,pods')) +
    (await show('get', 'events', '--field-selector=type=Warning')) +
    (await show('logs', `deployment/${DEPLOYMENT}`, '--tail=20'))
  );
}
