import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { bundle } from './bundle.ts';
import { FAST_TIME } from './fast-time.ts';
import type { Patch } from './patch.ts';

const CACHE = fileURLToPath(new URL('../../../.cache/tunnelspec', import.meta.url));
const START_MS = 20_000;
let count = 0;

export interface LiveProcessOptions {
  /** From the repository's root. */
  readonly entry: string;
  readonly patches: readonly Patch[];
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** One line on its standard input; which stays open: the program ends when it closes. */
  readonly input?: unknown;
}

/** A program of ours in a process of its own, its time running fast. */
export class LiveProcess {
  readonly #child: ChildProcess;
  readonly #file: string;
  /** What it said: the end of it. */
  #words = '';
  readonly #lines: Interface;
  readonly #firstLine: Promise<string>;
  #asked: Promise<unknown> = Promise.resolve();

  private constructor(child: ChildProcess, file: string) {
    this.#child = child;
    this.#file = file;
    const keep = (text: string) => {
      this.#words = (this.#words + text).slice(-8_192);
    };
    child.stderr?.on('data', (chunk: Buffer) => keep(chunk.toString('utf8')));
    this.#lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    this.#lines.on('line', (line) => keep(`${line}\n`));
    this.#firstLine = new Promise((resolve) => this.#lines.once('line', resolve));
  }

  static async start({ entry, patches, args = [], env = {}, input }: LiveProcessOptions): Promise<LiveProcess> {
    await mkdir(CACHE, { recursive: true });
    const file = join(CACHE, `${process.pid}-${count++}.mjs`);
    await bundle(entry, file, [...FAST_TIME, ...patches]);
    const child = spawn(process.execPath, [file, ...args], {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    // A program that died before it read says so in its words.
    child.stdin.on('error', () => {});
    if (input !== undefined) child.stdin.write(`${JSON.stringify(input)}\n`);
    return new LiveProcess(child, file);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get hasExited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  get words(): string {
    return this.#words;
  }

  /** Its first line on standard output. @throws Error with its words when it ends before or takes too long. */
  async firstLine(): Promise<string> {
    let timer: NodeJS.Timeout | undefined;
    const failed = new Promise<never>((_, reject) => {
      const fail = () => reject(new Error(`the program did not start: ${this.#words}`));
      timer = setTimeout(fail, START_MS);
      this.#child.once('exit', fail);
    });
    try {
      return await Promise.race([this.#firstLine, failed]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** One more line on its standard input, for a program that answers each with a line. One at a time. */
  ask(input: unknown): Promise<void> {
    const answered = this.#asked.then(async () => {
      this.#child.stdin?.write(`${JSON.stringify(input)}\n`);
      await once(this.#lines, 'line', { signal: AbortSignal.timeout(START_MS) });
    });
    this.#asked = answered.catch(() => {});
    return answered;
  }

  /** As a pod is told to end. */
  terminate(): void {
    this.#child.kill('SIGTERM');
  }

  async stop(): Promise<void> {
    if (!this.hasExited) {
      const exited = once(this.#child, 'exit');
      this.#child.kill('SIGKILL');
      await exited;
    }
    await rm(this.#file, { force: true });
  }
}
