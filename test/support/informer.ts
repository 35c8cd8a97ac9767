import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { cacheFolder, REPOSITORY } from '../../hack/lab/paths.ts';
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

  /** Builds the program if need be: seconds where the control plane was built, half a minute elsewhere. */
  static async build(): Promise<void> {
    if (existsSync(program())) return;
    mkdirSync(cacheFolder(), { recursive: true });
    const environment = { ...process.env, CGO_ENABLED: '0', GOWORK: 'off' };
    const args = ['build', '-trimpath', '-ldflags', '-s -w', '-o', program(), '.'];
    const go = spawn('go', args, { cwd: join(REPOSITORY, 'hack/informer'), env: environment, stdio: 'inherit' });
    const [code] = (await once(go, 'close')) as [number | null];
    if (code !== 0) throw new Error(`go build of hack/informer ended with ${code}`);
  }

  static async start(kubeconfig: string, namespace: string): Promise<Informer> {
    const child = spawn(program(), ['--kubeconfig', kubeconfig, '--namespace', namespace]);
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

function program(): string {
  return join(cacheFolder(), 'informer-v1');
}
