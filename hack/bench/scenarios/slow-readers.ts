import { mebibytes } from '../../demo/memory.ts';
import { pause } from '../../lab/pause.ts';
import type { Worker } from '../../load/worker.ts';
import { kernelBytes } from '../kernel-queues.ts';
import { Rig } from '../rig.ts';
import { atMost, type Bench, type Goal, type Outcome, type Scenario } from '../scenario.ts';
import type { ClientsMethods, ReaderState } from '../workers/clients.ts';

const READERS = 20;
const BYTES = 100_000_000;
const BYTES_PER_SECOND = 1_000_000;
/** Unless the whole of it is asked for. */
const SHORT_MS = 25_000;
const FULL_MS = 115_000;
const WARM_UP_BYTES = 20_000_000;
const SAMPLE_EVERY_MS = 500;
const MEBIBYTE = 1024 * 1024;
const GROWTH_BYTES = 32 * MEBIBYTE;
const PATH = '/api/v1/namespaces/default/configmaps';

/** Twenty readers of 100 MB at 1 MB/s each: what gateway and agent grow by, and how far the upstream runs ahead. */
export const slowReaders: Scenario = { name: 'slow-readers', run };

/** Bytes between what the upstream handed to the system and what the clients have read. */
interface Ahead {
  readonly totalBytes: number;
  /** Of these in the system's socket buffers. */
  readonly kernelBytes: number;
}

async function run(bench: Bench): Promise<Outcome> {
  const rig = await Rig.start(bench);
  try {
    const clients = await rig.clients('readers');
    await warmUp(rig, clients, bench);
    const names = Array.from({ length: READERS }, (_, at) => `slow-${at}`);
    const memory = rig.watchMemory();
    await clients.call(
      'read',
      names.map((name) => slowly(name)),
    );
    const aheads = await watchAhead(rig, clients, names, bench);
    const { lines, growthBytes } = memory.stop();
    const states = await clients.call('states', names);
    checkAll(states, bench.isFull);
    await clients.call('stop', names);
    await rig.quiet();
    return outcome({ lines, growthBytes, aheads, states });
  } finally {
    await rig.stop();
  }
}

const slowly = (name: string) => ({
  name,
  path: `${PATH}?bytes=${BYTES}&mark=${name}`,
  bytesPerSecond: BYTES_PER_SECOND,
});

/** As many streams and as many bytes as later, so that what grows later is not just the heap getting used to it. */
async function warmUp(rig: Rig, clients: Worker<ClientsMethods>, { progress }: Bench): Promise<void> {
  progress('warming up');
  const names = Array.from({ length: READERS }, (_, at) => `warm-${at}`);
  const path = `${PATH}?bytes=${WARM_UP_BYTES}`;
  await clients.call(
    'read',
    names.map((name) => ({ name, path, bytesPerSecond: Number.POSITIVE_INFINITY })),
  );
  for (let isDone = false; !isDone; await pause(SAMPLE_EVERY_MS)) {
    const states = await clients.call('states', names);
    const broken = states.find(({ error }) => error !== '');
    if (broken !== undefined) throw new Error(`the warm-up broke: ${broken.error}`);
    isDone = states.every(({ ends }) => ends > 0);
  }
  await clients.call('stop', names);
  await rig.quiet();
}

async function watchAhead(
  rig: Rig,
  clients: Worker<ClientsMethods>,
  names: readonly string[],
  bench: Bench,
): Promise<Ahead[]> {
  const aheads: Ahead[] = [];
  const durationMs = bench.isFull ? FULL_MS : SHORT_MS;
  const startedMs = performance.now();
  let saidMs = 0;
  for (;;) {
    const tookMs = performance.now() - startedMs;
    const [states, ahead] = await look(rig, clients, names);
    aheads.push(ahead);
    if (tookMs - saidMs > 5_000) {
      saidMs = tookMs;
      const { totalBytes, kernelBytes: inKernel } = ahead;
      bench.progress(
        `${Math.round(tookMs / 1_000)} s: ${mebibytes(totalBytes)} on the way, ${mebibytes(inKernel)} of them in socket buffers`,
      );
    }
    if (tookMs > durationMs || states.every(({ ends, error }) => ends > 0 || error !== '')) return aheads;
    await pause(SAMPLE_EVERY_MS);
  }
}

async function look(
  rig: Rig,
  clients: Worker<ClientsMethods>,
  names: readonly string[],
): Promise<[ReaderState[], Ahead]> {
  const ports = [rig.upstreamAt.url, rig.url].map((url) => Number(new URL(url).port));
  const inKernel = ports.reduce((sum, port) => sum + kernelBytes(port), 0);
  const [states, sent] = await Promise.all([clients.call('states', names), rig.upstream.call('sent', names)]);
  const sum = (list: readonly { bytes: number }[]) => list.reduce((total, { bytes }) => total + bytes, 0);
  return [states, { totalBytes: sum(sent) - sum(states), kernelBytes: inKernel }];
}

/** @throws Error when an answer was cut or is not what was sent */
function checkAll(states: readonly ReaderState[], isFull: boolean): void {
  const broken = states.find(({ isIntact, error, ends }) => !isIntact || error !== '' || (isFull && ends !== 1));
  if (broken !== undefined) throw new Error(`a download broke: ${JSON.stringify(broken)}`);
}

interface Seen {
  readonly lines: readonly string[];
  readonly growthBytes: Readonly<Record<string, number>>;
  readonly aheads: readonly Ahead[];
  readonly states: readonly ReaderState[];
}

function outcome({ lines, growthBytes, aheads, states }: Seen): Outcome {
  const most = (of: (ahead: Ahead) => number) => Math.max(...aheads.map(of));
  const readBytes = states.reduce((sum, { bytes }) => sum + bytes, 0);
  const grown = (name: string): Goal =>
    atMost(`slow-readers: growth of the ${name} / 32 MiB`, (growthBytes[name] ?? Number.NaN) / GROWTH_BYTES, 1);
  return {
    goals: [grown('gateway'), grown('agent')],
    rows: [
      [`${READERS} readers at 1 MB/s`, `${mebibytes(readBytes)} read, every byte in order`],
      ...lines.map((line) => [line]),
      ['upstream ran ahead by', `${mebibytes(most(({ totalBytes }) => totalBytes))} at most`],
      [
        '… not in socket buffers',
        `${mebibytes(most(({ totalBytes, kernelBytes: inKernel }) => totalBytes - inKernel))} at most`,
      ],
    ],
  };
}
