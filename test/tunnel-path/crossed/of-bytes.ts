import { createHash, randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { DEFAULT_CACHE } from '../../../crds/cache.ts';
import { bytesOf, SETTINGS } from '../../support/gateway-fixture.ts';
import { standstill, until } from '../../support/turns.ts';
import { PODS, WATCH } from '../fault-stage.ts';
import { pour } from '../whole-path.ts';
import type { CrossedPath } from './crossed-path.ts';
import { type Crossing, refusal } from './crossing.ts';
import { seenBy } from './of-requests.ts';
import { series } from './series.ts';

const KIBIBYTE = 1024;
const MEBIBYTE = 1024 * KIBIBYTE;
const VERSION = '/version';
/** More than all sockets between target and client hold. */
const LARGE_BYTES = 16 * MEBIBYTE;
const CHUNK_BYTES = 64 * KIBIBYTE;
/** What a stream that was admitted holds for sure. */
const RESERVE_BYTES = 16 * KIBIBYTE;

/** A client who takes a part of a large answer, rests, and then takes the rest. */
async function restInTheMiddle(path: CrossedPath): Promise<unknown> {
  const { upstream, gateway } = path.stage.path;
  const large = randomBytes(LARGE_BYTES);
  let answering: ServerResponse | undefined;
  upstream.answer = (_, response) => {
    answering = response;
    void pour(response, large);
  };
  const { status, body } = await path.stage.client().call({ path: `/clusters/c1${PODS}` }).answer;
  const whole = bytesOf({ body });
  let takenBytes = 0;
  body.on('data', (chunk: Buffer) => {
    takenBytes += chunk.length;
  });
  await until(() => takenBytes > MEBIBYTE);
  body.pause();
  await standstill(() => answering?.socket?.bytesWritten ?? 0);
  await until(() => gateway.counts.bufferedBytes > 0);
  const isHeldUp = answering?.writableFinished === false;
  await path.note();
  body.resume();
  return { status, isHeldUp, isByteExact: (await whole).equals(large) };
}

/** An API server that takes a large body only when all between it and its client is full. */
async function readLate(path: CrossedPath): Promise<unknown> {
  const { upstream } = path.stage.path;
  const large = randomBytes(LARGE_BYTES);
  let begin: () => void = () => {};
  upstream.readsBodies = false;
  upstream.answer = (request, response) => {
    const hash = createHash('sha256');
    request.once('end', () => response.end(hash.digest('hex')));
    begin = () => request.on('data', (chunk: Buffer) => hash.update(chunk));
  };
  const { upload, answer } = path.stage.client().call({ method: 'POST', path: `/clusters/c1${PODS}`, body: 'open' });
  let takenBytes = 0;
  for (let at = 0; at < large.length; at += CHUNK_BYTES)
    upload.write(large.subarray(at, at + CHUNK_BYTES), () => {
      takenBytes += CHUNK_BYTES;
    });
  upload.end();
  await path.stage.arrived();
  await standstill(() => takenBytes);
  const isHeldUp = takenBytes < large.length;
  await path.note();
  begin();
  const { status, body } = await answer;
  const arrived = (await bytesOf({ body })).toString();
  return { status, isHeldUp, isByteExact: arrived === createHash('sha256').update(large).digest('hex') };
}

/** So many watches that run. */
async function watches(path: CrossedPath, count: number) {
  path.holdAnswers();
  const client = path.stage.client();
  return Array.from({ length: count }, () => client.call({ path: `/clusters/c1${WATCH}` }));
}

/** As many watches as the agent has room for, and one request more. */
async function oneBeyondTheAgent(path: CrossedPath): Promise<unknown> {
  const first = await watches(path, MEBIBYTE / RESERVE_BYTES);
  await path.stage.arrived(first.length);
  const told = refusal(await path.stage.ask('h2'));
  await path.note();
  const seen = seenBy(first);
  await path.endAll();
  return { told, others: outcomes(await seen) };
}

/** More watches than the gateway's budget has room for. */
async function moreThanTheGateway(path: CrossedPath): Promise<unknown> {
  const all = await watches(path, 64);
  await path.stage.arrived(44);
  await path.stage.waits(20);
  await path.note();
  const seen = seenBy(all);
  await path.endAll();
  return outcomes(await seen);
}

/** How often each outcome was seen. */
function outcomes(seen: readonly { readonly status: number; readonly text: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status, text } of seen) counts[`${status} ${text}`] = (counts[`${status} ${text}`] ?? 0) + 1;
  return counts;
}

/** Answers of such a length, one after the other, by the number behind `?`. */
async function askAll(path: CrossedPath, bytes: number, asked: readonly number[]): Promise<unknown> {
  const { upstream } = path.stage.path;
  const contents = new Map(asked.map((number) => [number, randomBytes(bytes)]));
  upstream.answer = ({ url = '' }, response) => response.end(contents.get(Number(url.split('?')[1])));
  const client = path.stage.client();
  let exact = 0;
  for (const number of asked) {
    const { body } = await client.call({ path: `/clusters/c1${VERSION}?${number}` }).answer;
    if ((await bytesOf({ body })).equals(contents.get(number) as Buffer)) exact += 1;
  }
  await path.note();
  return { exact, executed: path.stage.executed };
}

/** Bounds of memory. */
export const BYTE_CROSSINGS: readonly Crossing[] = [
  {
    limit: 'spec.limits.maxStreamBufferBytes',
    how: 'a client who rests in the middle of an answer: its source is held up, and it comes byte for byte',
    options: { settings: { ...SETTINGS, limits: { ...SETTINGS.limits, maxStreamBufferBytes: 64 * KIBIBYTE } } },
    cross: restInTheMiddle,
    sees: { status: 200, isHeldUp: true, isByteExact: true },
    meanwhile: { [series.budget]: 64 * KIBIBYTE, [series.agentBuffered]: RESERVE_BYTES },
    atMost: { [series.buffered]: 64 * KIBIBYTE },
    counted: { [series.ended('OK', '2xx')]: 1 },
  },
  {
    limit: 'spec.limits.maxStreamBufferBytes',
    how: 'an API server that does not take a body: its client is held up, and it comes byte for byte',
    options: { settings: { ...SETTINGS, limits: { ...SETTINGS.limits, maxStreamBufferBytes: 64 * KIBIBYTE } } },
    cross: readLate,
    sees: { status: 200, isHeldUp: true, isByteExact: true },
    meanwhile: { [series.agentBuffered]: 64 * KIBIBYTE, [series.budget]: RESERVE_BYTES },
    // What may wait for credit, and the chunk that was in hand.
    atMost: { [series.queued]: 128 * KIBIBYTE },
    counted: { [series.ended('OK', '2xx')]: 1 },
  },
  {
    limit: 'spec.limits.maxBufferBytes',
    how: 'one request more than the agent has memory for, while 64 watches hold it',
    options: {
      settings: {
        ...SETTINGS,
        limits: { ...SETTINGS.limits, maxStreamBufferBytes: 64 * KIBIBYTE, maxBufferBytes: MEBIBYTE },
      },
    },
    cross: oneBeyondTheAgent,
    sees: {
      told: {
        ...{ status: 429, reason: 'TooManyRequests', code: 'stream_limit', hop: 'agent', retryAfter: '1' },
        message: 'the agent of tunnel "c1" has no room for the request: 1048576 bytes of buffers are taken',
      },
      others: { '200 whole': 64 },
    },
    meanwhile: { [series.agentBuffered]: MEBIBYTE, [series.agentLimit]: MEBIBYTE, [series.depth]: 0 },
    counted: { [series.refused('stream_limit')]: 1, [series.ended('OK', '2xx')]: 64 },
  },
  {
    limit: '--max-buffer-bytes',
    how: 'more watches than one tunnel’s part has room for: the others wait and are answered whole',
    options: { maxBufferBytes: MEBIBYTE },
    cross: moreThanTheGateway,
    sees: { '200 whole': 64 },
    meanwhile: { [series.budget]: 44 * RESERVE_BYTES, [series.budgetLimit]: MEBIBYTE, [series.depth]: 20 },
    counted: { [series.ended('OK', '2xx')]: 64, [series.waited]: 20 },
  },
  {
    limit: 'spec.cache.maxBytes',
    how: 'eight answers that do not fit all: what was used least is asked for again, the newest is not',
    options: { cache: { ...DEFAULT_CACHE, maxBytes: MEBIBYTE } },
    cross: (path) => askAll(path, 200 * KIBIBYTE, [1, 2, 3, 4, 5, 6, 7, 8, 1, 1]),
    sees: { exact: 10, executed: 9 },
    atMost: { [series.cacheBytes]: MEBIBYTE },
    counted: { [series.cached('miss')]: 9, [series.cached('hit')]: 1, [series.ended('OK', '2xx')]: 9 },
  },
  {
    limit: 'spec.cache.maxBytes',
    how: 'an answer larger than a quarter of it is not remembered',
    options: { cache: { ...DEFAULT_CACHE, maxBytes: MEBIBYTE } },
    cross: (path) => askAll(path, 300 * KIBIBYTE, [1, 1]),
    sees: { exact: 2, executed: 2 },
    meanwhile: { [series.cacheBytes]: 0 },
    counted: { [series.cached('miss')]: 2, [series.cached('hit')]: 0, [series.ended('OK', '2xx')]: 2 },
  },
];
