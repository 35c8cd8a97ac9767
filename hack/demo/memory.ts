import { readFileSync } from 'node:fs';

const SAMPLE_EVERY_MS = 20;
const MEBIBYTE = 1024 * 1024;

/** Resident memory of a process, in bytes; undefined where there is no /proc or no such process. */
export function residentBytes(pid: number): number | undefined {
  try {
    const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
  } catch {
    return undefined; // not Linux, or the process has gone
  }
}

/** Watches the memory of processes while something runs. */
export class MemoryWatch {
  readonly #pids: Readonly<Record<string, number>>;
  readonly #before: Record<string, number> = {};
  readonly #peak: Record<string, number> = {};
  readonly #timer: NodeJS.Timeout;

  constructor(pids: Readonly<Record<string, number>>) {
    this.#pids = pids;
    this.#sample(this.#before);
    this.#timer = setInterval(() => this.#sample(this.#peak), SAMPLE_EVERY_MS);
  }

  /** "agent 71 MiB, at most 80 MiB meanwhile", a line a process; growth in bytes by name. */
  stop(): { lines: string[]; growthBytes: Record<string, number> } {
    clearInterval(this.#timer);
    this.#sample(this.#peak);
    const growthBytes: Record<string, number> = {};
    const lines = Object.keys(this.#before).map((name) => {
      const before = this.#before[name] ?? 0;
      const peak = Math.max(before, this.#peak[name] ?? 0);
      growthBytes[name] = peak - before;
      return `${name.padEnd(9)} ${mebibytes(before)} before, ${mebibytes(peak)} at most meanwhile`;
    });
    return { lines, growthBytes };
  }

  #sample(into: Record<string, number>): void {
    for (const [name, pid] of Object.entries(this.#pids)) {
      const bytes = residentBytes(pid);
      if (bytes !== undefined) into[name] = Math.max(into[name] ?? 0, bytes);
    }
  }
}

/** "71 MiB". */
export function mebibytes(bytes: number): string {
  return `${Math.round(bytes / MEBIBYTE)} MiB`;
}
