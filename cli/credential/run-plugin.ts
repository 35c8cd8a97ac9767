import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import type { Fields } from '../kubeconfig/document.ts';
import { type Credential, credentialIn } from './exec-credential.ts';

/** A person may have to log in. */
const PLUGIN_MS = 10 * 60_000;

export interface PluginOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Whether a person sits at this process's stdin. */
  readonly isInteractive: boolean;
  /** Of the hub, for plugins with provideClusterInfo. */
  readonly cluster: Fields;
}

/**
 * Runs the exec plugin of a kubeconfig's user as kubectl would. stderr is the plugin's own, for its user.
 * @throws Error that says how it failed
 * Source: client-go plugin/pkg/client/auth/exec/exec.go.
 */
export async function runPlugin(exec: Fields, { env, isInteractive, cluster }: PluginOptions): Promise<Credential> {
  const { command, args, env: more, apiVersion, interactiveMode, provideClusterInfo } = exec;
  if (typeof command !== 'string' || command === '') throw new Error('exec.command is missing');
  const interactive = isInteractive && interactiveMode !== 'Never';
  const info = {
    apiVersion,
    kind: 'ExecCredential',
    spec: { interactive, ...(provideClusterInfo === true ? { cluster: clusterInfo(cluster) } : {}) },
  };
  const child = spawn(command, list(args).map(String), {
    env: { ...env, ...variables(more), KUBERNETES_EXEC_INFO: JSON.stringify(info) },
    stdio: [interactive ? 'inherit' : 'ignore', 'pipe', 'inherit'],
    // Not `timeout`: Node leaves that timer behind when the program cannot be started.
    signal: AbortSignal.timeout(PLUGIN_MS),
  });
  const ended = new Promise<number | string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'nothing'));
  });
  const [printed, end] = await Promise.all([text(child.stdout as NodeJS.ReadableStream), ended]);
  if (end !== 0) throw new Error(`${command} ended with ${end}`);
  return credentialIn(printed);
}

function variables(more: unknown): Record<string, string> {
  const pairs = list(more).flatMap((each) => {
    const { name, value } = (each ?? {}) as Fields;
    return typeof name === 'string' && typeof value === 'string' ? [[name, value] as const] : [];
  });
  return Object.fromEntries(pairs);
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Cluster of client.authentication.k8s.io/v1. */
function clusterInfo(cluster: Fields): object {
  const extensions = list(cluster['extensions']) as readonly { name?: string; extension?: unknown }[];
  return {
    server: cluster['server'],
    'tls-server-name': cluster['tls-server-name'],
    'insecure-skip-tls-verify': cluster['insecure-skip-tls-verify'],
    'certificate-authority-data': cluster['certificate-authority-data'],
    'proxy-url': cluster['proxy-url'],
    config: extensions.find(({ name }) => name === 'client.authentication.k8s.io/exec')?.extension,
  };
}
