import { closeSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';

/** A container that talks for weeks must not fill the disk: the current file and one older are kept. */
const ROTATE_BYTES = 16 * 1024 * 1024;

/** One line of a container's output and when it was read. */
export interface LogLine {
  readonly time: string;
  readonly text: string;
}

/** The output of one run of a container: `<RFC 3339> <text>` a line, in a file, and live to whoever follows. */
export class ContainerLog {
  readonly #path: string;
  readonly #followers = new Set<(line: LogLine | undefined) => void>();
  #file: number | undefined;
  #sizeBytes = 0;

  constructor(path: string) {
    this.#path = path;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#file = openSync(path, 'w', 0o600);
  }

  /** Takes everything `stream` says; resolves when it ends. */
  async take(stream: Readable): Promise<void> {
    let rest = '';
    stream.setEncoding('utf8');
    try {
      for await (const chunk of stream as AsyncIterable<string>) {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const text of lines) this.append(text);
      }
    } catch {
      // the pipe broke with its process; what came before is kept
    }
    if (rest !== '') this.append(rest);
  }

  append(text: string): void {
    if (this.#file === undefined) return;
    const line = { time: new Date().toISOString(), text };
    this.#sizeBytes += writeSync(this.#file, `${line.time} ${text}\n`);
    if (this.#sizeBytes > ROTATE_BYTES) this.#rotate();
    for (const follower of this.#followers) follower(line);
  }

  /** All lines so far. */
  read(): LogLine[] {
    const lines = readFileSync(this.#path, 'utf8').split('\n');
    lines.pop();
    return lines.map((line) => {
      const blank = line.indexOf(' ');
      return { time: line.slice(0, blank), text: line.slice(blank + 1) };
    });
  }

  /** Calls `follower` with each new line, and with undefined at the end. Returns how to leave. */
  follow(follower: (line: LogLine | undefined) => void): () => void {
    if (this.#file === undefined) {
      follower(undefined);
      return () => {};
    }
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  close(): void {
    if (this.#file === undefined) return;
    closeSync(this.#file);
    this.#file = undefined;
    for (const follower of this.#followers) follower(undefined);
    this.#followers.clear();
  }

  #rotate(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    renameSync(this.#path, `${this.#path}.1`);
    this.#file = openSync(this.#path, 'w', 0o600);
    this.#sizeBytes = 0;
  }
}
