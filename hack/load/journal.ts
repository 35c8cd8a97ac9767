import { closeSync, openSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

/** Lines of JSON in a file. What was written stays though the process is killed right after. */
export class Journal<Line> {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, 'a');
  }

  write(line: Line): void {
    writeSync(this.#file, `${JSON.stringify(line)}\n`);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** What is in a journal; none if nobody began it. A last line that was cut by a kill is left out. */
export async function readJournal<Line>(path: string): Promise<Line[]> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const lines = text.split('\n');
  // Behind the last newline: nothing, or a torn line.
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Line);
}
