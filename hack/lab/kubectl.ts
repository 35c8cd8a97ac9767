import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

export interface KubectlOptions {
  /** For `-f -`. */
  readonly input?: string;
  /** Another credential than the kubeconfig's; for kubeconfigs without a client certificate, which would win. */
  readonly token?: string;
  readonly timeoutMs?: number;
  /** A failure is a result, not an error. */
  readonly mayFail?: boolean;
  readonly signal?: AbortSignal;
  /** More of it, like kubectl's own switches. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface KubectlResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface KubectlProgram {
  readonly file: string;
  /** Discovery is cached here, not in the developer's home. */
  readonly cacheFolder: string;
}

const DEFAULT_TIMEOUT_MS = 60_000;

/** Nothing of the developer's own kubectl. */
export function kubectlEnvironment(cacheFolder: string, kubeconfig: string): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], HOME: cacheFolder, KUBECACHEDIR: cacheFolder, KUBECONFIG: kubeconfig };
}

/** Runs the lab's own kubectl against `kubeconfig`. @throws Error with kubectl's words if it fails */
export async function kubectl(
  { file, cacheFolder }: KubectlProgram,
  kubeconfig: string,
  args: readonly string[],
  options: KubectlOptions = {},
): Promise<KubectlResult> {
  const { input = '', token, timeoutMs = DEFAULT_TIMEOUT_MS, mayFail = false, signal, environment } = options;
  const child = spawn(file, [...(token === undefined ? [] : [`--token=${token}`]), ...args], {
    env: { ...kubectlEnvironment(cacheFolder, kubeconfig), ...environment },
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: timeoutMs,
    ...(signal && { signal }),
  });
  const exited = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
  child.stdin.on('error', () => {}); // kubectl ended without reading its input; its exit code tells
  child.stdin.end(input);
  const [stdout, stderr, exitCode] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  if (exitCode !== 0 && !mayFail) {
    throw new Error(`kubectl ${args.join(' ')} ended with ${exitCode}: ${stderr.trim() || stdout.trim()}`);
  }
  return { exitCode, stdout, stderr };
}
