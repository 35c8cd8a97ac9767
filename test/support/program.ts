import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { PROGRAM } from '../../hack/lab/paths.ts';

export interface ProgramOptions {
  /** $KUBECONFIG: one path or several. */
  readonly kubeconfig: string;
  readonly home: string;
  readonly input?: string;
}

export interface ProgramResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

const TIMEOUT_MS = 60_000;

/** Runs the built program as a user would; a failure is a result. */
export async function program(
  args: readonly string[],
  { kubeconfig, home, input = '' }: ProgramOptions,
): Promise<ProgramResult> {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    env: { PATH: process.env['PATH'], HOME: home, KUBECONFIG: kubeconfig },
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: TIMEOUT_MS,
  });
  const exited = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
  child.stdin.on('error', () => {}); // it ended without reading its input; its exit code tells
  child.stdin.end(input);
  const [stdout, stderr, exitCode] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  return { exitCode, stdout, stderr };
}
