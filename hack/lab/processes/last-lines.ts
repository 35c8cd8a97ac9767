import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const TAIL_BYTES = 16 * 1024;

/** The last `count` lines of a log, for the person who asks why it died. */
export function lastLines(path: string, count: number): string {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return '(no output)';
  }
  try {
    const sizeBytes = fstatSync(file).size;
    const tail = Buffer.alloc(Math.min(sizeBytes, TAIL_BYTES));
    readSync(file, tail, 0, tail.length, sizeBytes - tail.length);
    return tail.toString('utf8').trimEnd().split('\n').slice(-count).join('\n') || '(no output)';
  } finally {
    closeSync(file);
  }
}
