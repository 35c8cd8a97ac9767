import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';

/** What Node and our own processes say of an error that nobody caught. */
const OUTCRY =
  /unhandledRejection|unhandled rejection|uncaughtException|uncaught exception|ERR_UNHANDLED|MaxListenersExceeded/i;
const MOST = 20;

/** Lines of these logs that no process may say. */
export async function outcriesIn(logPaths: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of logPaths) {
    for await (const line of createInterface({ input: createReadStream(path) })) {
      if (found.length < MOST && OUTCRY.test(line)) found.push(`${basename(path)}: ${line.slice(0, 500)}`);
    }
  }
  return found;
}
