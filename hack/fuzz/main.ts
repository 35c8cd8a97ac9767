/**
 * `npm run fuzz -- --runs 10000000 --seed 7 [--from N] [--seconds S]`: strange messages for the decoder, and one session in so many
 * messages. `npm run fuzz -- --streams 100000`: streams that are cancelled at random moments, over real WebSockets.
 * Exit 1 on a finding, with all that is needed to see it again.
 */
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { corpus } from './corpus.ts';
import { DecoderFuzz, type Finding } from './decoder.ts';
import { heldBytes } from './memory.ts';
import { SessionFuzz } from './sessions.ts';
import { cancelStreams } from './streams.ts';

/** Sessions live this many times fewer than messages are decoded. */
const RUNS_PER_SESSION = 250;
const BATCH = 5_000;
const REPORT_EVERY_MS = 5_000;
/** What a run may hold on to: caches of the runtime, not what comes with inputs. */
const MAX_GROWTH_BYTES = 64 * 1024 * 1024;
const MEBIBYTE = 1024 * 1024;

const options = await yargs(hideBin(process.argv))
  .scriptName('npm run fuzz --')
  .strict()
  .options({
    runs: { type: 'number', default: 1_000_000, describe: 'Messages for the decoder' },
    from: { type: 'number', default: 0, describe: 'Number of the first message: to see a finding again' },
    seed: { type: 'number', default: Math.floor(Math.random() * 2 ** 31), describe: 'Says everything that follows' },
    seconds: { type: 'number', default: Number.POSITIVE_INFINITY, describe: 'Stop after so long' },
    streams: { type: 'number', describe: 'Cancel so many streams instead' },
  }).argv;

const startedMs = performance.now();
if (options.streams === undefined) await fuzzMessages();
else await fuzzStreams(options.streams);

async function fuzzMessages(): Promise<void> {
  const { seed, from, runs } = options;
  print(`seed ${seed}: ${count(runs)} messages, ${count(Math.ceil(runs / RUNS_PER_SESSION))} sessions`);
  const messages = corpus();
  const decoder = new DecoderFuzz(seed, messages);
  const sessions = new SessionFuzz(seed, messages);
  let session = Math.floor(from / RUNS_PER_SESSION);
  process.on('uncaughtException', (error) =>
    report({ index: session * RUNS_PER_SESSION, what: String(error), hex: '' }),
  );
  let at = from;
  let heldAtFirst: number | undefined;
  let reportedMs = startedMs;
  while (at < from + runs && secondsSince(startedMs) < options.seconds) {
    const to = Math.min(at + BATCH, from + runs);
    const finding = decoder.run(at, to);
    if (finding !== undefined) return report(finding);
    for (at = to; session * RUNS_PER_SESSION < at; session++) {
      const found = await sessions.run(session);
      if (found !== undefined) return report({ ...found, index: session * RUNS_PER_SESSION });
    }
    heldAtFirst ??= heldBytes();
    if (performance.now() - reportedMs < REPORT_EVERY_MS) continue;
    reportedMs = performance.now();
    print(`  ${progress(at - from, decoder, sessions)}, ${mebibytes(heldBytes())} held`);
  }
  const grown = heldBytes() - (heldAtFirst ?? 0);
  print(`${progress(at - from, decoder, sessions)}; memory held at the end ${mebibytes(grown)} more than at first`);
  if (grown > MAX_GROWTH_BYTES) return report({ index: from, what: `${mebibytes(grown)} were kept`, hex: '' });
  print('no finding');
}

async function fuzzStreams(streams: number): Promise<void> {
  print(`seed ${options.seed}: ${count(streams)} streams over a real WebSocket, each cancelled at a random moment`);
  const result = await cancelStreams({ streams, seed: options.seed, progress: (sentence) => print(`  ${sentence}`) });
  print(`${result.sentence} (${secondsSince(startedMs).toFixed(1)} s)`);
  if (result.left.length === 0) return print('nothing is left');
  print(`LEFT: ${result.left.join(', ')}`);
  process.exitCode = 1;
}

function report({ index, what, hex }: Finding): void {
  print(`FINDING: ${what}\n  again: npm run fuzz -- --seed ${options.seed} --from ${index} --runs 1`);
  if (hex !== '') print(`  bytes: ${hex}`);
  process.exit(1);
}

function progress(done: number, decoder: DecoderFuzz, sessions: SessionFuzz): string {
  const perSecond = Math.round(done / secondsSince(startedMs));
  const share = Math.round((100 * decoder.accepted) / done);
  return `${count(done)} messages (${share} % valid), ${count(sessions.sessions)} sessions with ${count(sessions.messages)} messages, ${count(perSecond)}/s`;
}

function secondsSince(ms: number): number {
  return (performance.now() - ms) / 1_000;
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / MEBIBYTE)} MiB`;
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

function print(sentence: string): void {
  process.stdout.write(`${sentence}\n`);
}
