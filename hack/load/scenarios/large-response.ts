import { mebibytes } from '../../demo/memory.ts';
import { check } from '../check.ts';
import type { Operation } from '../client/draw.ts';
import { allSucceed } from '../failures.ts';
import type { Attempt, History } from '../history.ts';
import { Rig } from '../rig.ts';
import { type Load, type Outcome, type Scenario, verdict } from '../scenario.ts';
import type { Worker } from '../worker.ts';
import type { AskersMethods } from '../workers/askers.ts';

const BYTES = 100_000_000;
const SHORT_BYTES = 10_000_000;
/** Slower than an API server writes: whoever does not wait for the reader would have to keep what he does not take. */
const BYTES_PER_SECOND = 5_000_000;
const WARM_UP_BYTES = 50_000_000;
/** What a stream may hold, at both ends of a session, and what a heap takes for itself meanwhile. As the bench's slow-readers. */
const GROWTH_BYTES = 32 * 1024 * 1024;
const LAST_BYTE_MS = 150_000;

/** `kubectl logs -f`: nobody knows beforehand how long it is. */
const LOG: Operation = {
  method: 'GET',
  path: '/api/v1/namespaces/load/pods/web/log',
  holdMs: 0,
  requestBytes: 0,
  answerBytes: BYTES,
  isUnsized: true,
  parts: 1,
  pauseMs: 0,
  isSized: true,
  isWatch: false,
};

/** A log of 100 MB to readers who take their time: every byte in order, and little of it in memory at once. */
export const largeResponse: Scenario = { name: 'large-response', mostMs: 240_000, run };

async function run(load: Load): Promise<Outcome> {
  const rig = await Rig.start(load);
  try {
    const readers = [await rig.askers('reader-h1', 'http/1.1'), await rig.askers('reader-h2', 'h2')];
    load.progress(`warming up with ${WARM_UP_BYTES / 1e6} MB each`);
    await readAll(readers, 'warm', { ...LOG, answerBytes: load.isShort ? SHORT_BYTES : WARM_UP_BYTES });
    const bytes = load.isShort ? SHORT_BYTES : BYTES;
    const memory = rig.watchMemory();
    load.progress(`${bytes / 1e6} MB at ${BYTES_PER_SECOND / 1e6} MB/s, over HTTP/1.1 and HTTP/2 at once`);
    await readAll(readers, 'slow', { ...LOG, answerBytes: bytes, bytesPerSecond: BYTES_PER_SECOND });
    const grown = memory.stop();
    return outcome(await rig.finish(), grown);
  } finally {
    await rig.stop();
  }
}

async function readAll(readers: readonly Worker<AskersMethods>[], name: string, operation: Operation): Promise<void> {
  const names = readers.map((_, at) => `${name}-${at}`);
  const begun = readers.map((reader, at) => reader.call('begin', { name: names[at] ?? '', user: 'reader', operation }));
  await Promise.all(begun);
  await Promise.all(readers.map((reader, at) => reader.call('outcome', names[at] ?? '', LAST_BYTE_MS)));
}

function outcome(
  history: History,
  { lines, growthBytes }: { readonly lines: readonly string[]; readonly growthBytes: Readonly<Record<string, number>> },
): Outcome {
  const grown = Object.entries(growthBytes).map(([who, bytes]) =>
    verdict(`the ${who} grows by less than ${mebibytes(GROWTH_BYTES)}`, bytes < GROWTH_BYTES, mebibytes(bytes)),
  );
  const figures = Object.entries(growthBytes).map(([who, bytes]) => [`growth of the ${who}`, mebibytes(bytes)]);
  return {
    verdicts: [
      ...check(history),
      allSucceed('every log comes to its end', history.attempts),
      { rule: 'every byte of a log is the next one', violations: history.attempts.filter(isTorn).map(({ id }) => id) },
      ...grown,
    ],
    rows: [...lines.map((line) => [line]), ...figures],
  };
}

function isTorn({ receivedBytes, answerBytes, isIntact }: Attempt): boolean {
  return receivedBytes !== answerBytes || !isIntact;
}
