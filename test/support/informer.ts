import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { goProgram } from './go-program.ts';
import { News } from './news.ts';

/** One line of hack/informer. */
export interface InformerLine {
  readonly kind: 'list' | 'watch' | 'add' | 'update' | 'delete' | 'missed' | 'synced';
  readonly name?: string;
  readonly count?: string;
  readonly answer?: string;
}

const SOON_MS = 30_000;

/** A client-go informer in a process of its own, with everything that it asked for and handed out. */
export class Informer {
  readonly lines: InformerLine[] = [];
  readonly #child: ChildProcess;
  readonly #news = new News();
  #words = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#words = (this.#words + chunk.toString('utf8')).slice(-2_048);
    });
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (text) => {
      this.lines.push(JSON.parse(text) as InformerLine);
      this.#news.tell();
    });
  }

  /** Builds the program if need be. */
  static async build(): Promise<void> {
    await goProgram('informer');
  }

  static async start(kubeconfig: string, namespace: string): Promise<Informer> {
    const child = spawn(await goProgram('informer'), ['--kubeconfig', kubeconfig, '--namespace', namespace]);
    const informer = new Informer(child);
    await informer.until('the first list', (lines) => lines.some(({ kind }) => kind === 'synced'));
    return informer;
  }

  /** So many lines of one kind. */
  count(kind: InformerLine['kind']): number {
    return this.lines.filter((line) => line.kind === kind).length;
  }

  /** data.count of all events, in their order. */
  get counts(): number[] {
    return this.lines.flatMap(({ kind, count }) =>
      (kind === 'add' || kind === 'update') && count !== undefined ? [Number(count)] : [],
    );
  }

  until(what: string, holds: (lines: readonly InformerLine[]) => boolean): Promise<true> {
    const told = () => `${JSON.stringify(this.lines.slice(-5))} ${this.#words}`;
    return this.#news.until(what, () => (holds(this.lines) ? true : undefined), { timeoutMs: SOON_MS, told });
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await exited;
  }
}
