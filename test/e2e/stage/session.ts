import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { until } from '../../../hack/lab/until.ts';

const LIFETIME_MS = 60_000;

export interface SessionOptions {
  readonly file: string;
  readonly args: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
}

/** A program that runs while the test talks to it. */
export class Session {
  stdout = '';
  stderr = '';
  /** Its exit code; 128 for an end by signal. */
  readonly exitCode: Promise<number>;
  readonly #child: ChildProcessWithoutNullStreams;

  constructor({ file, args, environment }: SessionOptions) {
    this.#child = spawn(file, args, { env: environment, stdio: 'pipe', timeout: LIFETIME_MS, killSignal: 'SIGKILL' });
    this.#child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      this.stdout += chunk;
    });
    this.#child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      this.stderr += chunk;
    });
    this.#child.stdin.on('error', () => {}); // it ended without reading: its exit code tells
    this.exitCode = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code) => resolve(code ?? 128));
    });
  }

  /** What `pattern` matches in its output, as soon as it does. */
  says(pattern: RegExp, timeoutMs = 20_000): Promise<RegExpExecArray> {
    const what = `${pattern} in the output`;
    return until(what, () => pattern.exec(this.stdout) ?? undefined, timeoutMs).catch((error: Error) => {
      throw new Error(`${error.message}; it said:\n${this.stdout}${this.stderr}`);
    });
  }

  write(text: string | Uint8Array): void {
    this.#child.stdin.write(text);
  }

  end(): void {
    this.#child.stdin.end();
  }

  /** As a crash of the client. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** As Ctrl-C does. */
  interrupt(): void {
    this.#child.kill('SIGINT');
  }
}
