import type { IncomingMessage } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import { expect } from 'chai';
import { kernelBytes } from '../../hack/bench/kernel-queues.ts';
import { MemoryWatch, mebibytes } from '../../hack/demo/memory.ts';
import { until } from '../../hack/lab/until.ts';
import { PatternCheck, pattern } from '../../hack/load/pattern.ts';
import { bodyOf, type Client, PROTOCOLS } from '../support/gateway-fixture.ts';
import { describePlayed, TUNNEL } from '../support/played-target.ts';

const MEBIBYTE = 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;
const ROOT = `/clusters/${TUNNEL}/api/v1/namespaces/default`;
/** limits.maxStreamBufferBytes: what a stream's window may grow to. */
const WINDOW_BYTES = MEBIBYTE;
/** limits.maxBufferBytes. */
const BUDGET_BYTES = 32 * MEBIBYTE;
/** What waits at one end for credit: it stops to take more at 64 KiB, a chunk later. */
const OUTBOX_BYTES = 2 * CHUNK_BYTES;
/** One stream's bytes in HTTP and TLS of six connections, the lab's forwarder, and this process: each holds a few chunks. */
const SLACK_BYTES = 2 * MEBIBYTE;
const READERS = 12;
const ANSWER_BYTES = 32 * MEBIBYTE;
/** Of the budget, and of garbage that was not collected yet. All that flows is six times as much. */
const GROWTH_BYTES = 2 * BUDGET_BYTES;
/** Looks at a count that did not change: it stands still. */
const STILL_LOOKS = 10;

/** What one answer or upload was allowed to write. */
interface Source {
  bytes: number;
  readonly stream: Writable;
}

const SPEC = {
  limits: { maxStreamBufferBytes: '1Mi', maxBufferBytes: '32Mi' },
  // A reader that stands still for as long as a busy machine takes to show it.
  timeouts: { backpressure: '1h', request: '1h' },
} as const;

describePlayed('backpressure', { spec: SPEC }, (target) => {
  /** Of answers under way, by their mark. */
  const sources = new Map<string, Source>();
  let marks = 0;

  const nextMark = (): string => {
    marks += 1;
    return String(marks);
  };
  /** A GET whose answer nobody reads yet. */
  const open = async (client: Client, path: string): Promise<Readable> => {
    const { status, body } = await client.call({ path: `${ROOT}${path}`, token: target().token }).answer;
    expect(status).to.equal(200);
    return body.pause();
  };
  /** Bytes of several sources, once none of them can write any more. */
  const standstill = async (of: readonly Source[]): Promise<number> => {
    const seen: number[] = [];
    return until(
      'a standstill',
      () => {
        seen.push(of.reduce((sum, { bytes, stream }) => sum + bytes - stream.writableLength, 0));
        const lately = seen.slice(-STILL_LOOKS);
        return lately.length === STILL_LOOKS && lately.every((bytes) => bytes === lately[0]) ? lately[0] : undefined;
      },
      60_000,
    );
  };
  /** Of every connection that the bytes travel over, in socket buffers of the system. */
  const inKernel = (): number => {
    const { upstream, lab } = target();
    const ports = [upstream.url, lab.lab.gatewayUrl].map((url) => Number(new URL(url).port));
    return [...ports, GATEWAY_PORT].reduce((sum, port) => sum + kernelBytes(port), 0);
  };
  let watch: MemoryWatch | undefined;
  const watchMemory = (): void => {
    watch = new MemoryWatch({ gateway: target().lab.operator().pid, agent: target().agent.pid });
  };
  const expectSmall = (): void => {
    const { lines, growthBytes } = (watch as MemoryWatch).stop();
    const worst = Math.max(...Object.values(growthBytes));
    expect(worst, `${mebibytes(worst)}: ${lines.join('; ')}`).to.be.below(GROWTH_BYTES);
  };

  afterEach(() => {
    watch?.stop();
    watch = undefined;
  });

  before(async () => {
    await target().agent.ready();
    target().upstream.answer = ({ url = '' }, response) => {
      const { searchParams: query } = new URL(url, 'https://upstream');
      const mark = query.get('mark');
      if (mark === null) return void response.end('{"gitVersion":"v1.36.3"}');
      const bytes = query.has('follow') ? Number.POSITIVE_INFINITY : Number(query.get('bytes'));
      response.writeHead(200, Number.isFinite(bytes) ? { 'content-length': bytes } : {});
      sources.set(mark, pour(response, bytes));
    };
    // Heaps grow to their working size.
    for (const protocol of PROTOCOLS) {
      const client = target().client(protocol);
      const path = () => `/configmaps?bytes=${ANSWER_BYTES / 4}&mark=${nextMark()}`;
      await Promise.all(Array.from({ length: READERS }, async () => readAll(await open(client, path()))));
      client.close();
    }
    await target().rest();
  });

  afterEach(() => target().rest());

  it('a log that nobody reads: the API server stands still, windows ahead, and goes on where it was', async () => {
    const client = target().client('http/1.1');
    const mark = nextMark();
    const body = await open(client, `/pods/web/log?follow=true&mark=${mark}`);
    const check = new PatternCheck();
    await readSome(body, check, WINDOW_BYTES);
    const [source] = [sources.get(mark)] as [Source];
    const sent = await standstill([source]);
    const { gateway, agent } = await target().look();
    expect(gateway['bufferedBytes'], 'arrived at the gateway').to.be.within(1, WINDOW_BYTES);
    expect(agent.queuedBytes, 'waits at the agent').to.be.within(1, OUTBOX_BYTES);
    const ahead = sent - check.bytes - inKernel();
    expect(ahead, 'sent, not read, and not in socket buffers').to.be.below(WINDOW_BYTES + OUTBOX_BYTES + SLACK_BYTES);
    // More than was on the way: the API server writes again.
    await readSome(body, check, sent + WINDOW_BYTES);
    expect(check.isIntact).to.equal(true);
    client.close();
  });

  for (const protocol of PROTOCOLS) {
    it(`${protocol}, ${READERS} large answers, read slowly and then not at all: memory stays small, all bytes come`, async () => {
      watchMemory();
      const client = target().client(protocol);
      const mine = Array.from({ length: READERS }, nextMark);
      const bodies = await Promise.all(
        mine.map((mark) => open(client, `/configmaps?bytes=${ANSWER_BYTES}&mark=${mark}`)),
      );
      const checks = bodies.map(() => new PatternCheck());
      for (let sips = 1; sips <= 4; sips++) {
        await Promise.all(bodies.map((body, at) => readSome(body, checks[at] as PatternCheck, sips * CHUNK_BYTES)));
      }
      const running = mine.flatMap((mark) => sources.get(mark) ?? []);
      const sent = await standstill(running);
      expect(sent, 'the API server had to stop').to.be.below(READERS * ANSWER_BYTES);
      const { gateway, agent } = await target().look();
      expect(gateway['budgetBytes']).to.be.at.most(READERS * WINDOW_BYTES);
      expect(agent.queuedBytes).to.be.at.most(READERS * OUTBOX_BYTES);
      const other = target().client(protocol);
      const small = await other.call({ path: `${ROOT}/configmaps/small`, token: target().token }).answer;
      expect(await bodyOf(small), 'a small answer passes meanwhile').to.contain('gitVersion');
      await Promise.all(bodies.map((body, at) => readAll(body, checks[at])));
      expect(checks.map(({ bytes, isIntact }) => isIntact && bytes)).to.deep.equal(bodies.map(() => ANSWER_BYTES));
      for (const each of [client, other]) each.close();
      expectSmall();
    });
  }

  it(`${READERS} large uploads that the API server does not read: their clients stand still, memory stays small, all bytes arrive`, async () => {
    watchMemory();
    const { upstream, token } = target();
    const requests: IncomingMessage[] = [];
    const answerAsEver = upstream.answer;
    upstream.readsBodies = false;
    upstream.answer = (request, response, received) => {
      if (request.method !== 'POST') return answerAsEver(request, response, received);
      requests.push(request);
      request.once('end', () => response.end('taken'));
    };
    const client = target().client('http/1.1');
    const calls = Array.from({ length: READERS }, () =>
      client.call({ path: `${ROOT}/configmaps`, method: 'POST', body: 'open', token }),
    );
    const uploads = calls.map(({ upload }) => pour(upload, ANSWER_BYTES));
    const early: unknown[] = [];
    for (const { answer } of calls)
      answer.then(
        ({ status }) => early.push(status),
        (error) => early.push(error),
      );
    await until('the uploads at the API server', () => {
      expect(early, `answers before the end, with ${requests.length} uploads at the API server`).to.deep.equal([]);
      return requests.length === READERS || undefined;
    });
    const sent = await standstill(uploads);
    expect(sent, 'the clients had to stop').to.be.below(READERS * ANSWER_BYTES);
    const { gateway, agent } = await target().look();
    expect(gateway['queuedBytes'], 'waits at the gateway').to.be.at.most(READERS * OUTBOX_BYTES);
    expect(agent.bufferedStreamBytes, 'arrived at the agent').to.be.at.most(READERS * WINDOW_BYTES);
    const checks = requests.map(() => new PatternCheck());
    await Promise.all(requests.map((request, at) => readAll(request, checks[at])));
    expect(checks.map(({ bytes, isIntact }) => isIntact && bytes)).to.deep.equal(requests.map(() => ANSWER_BYTES));
    for (const { answer } of calls) expect(await bodyOf(await answer)).to.equal('taken');
    client.close();
    upstream.readsBodies = true;
    upstream.answer = answerAsEver;
    expectSmall();
  });
});

/** Of the operator's own listener, behind the lab's forwarder. */
const GATEWAY_PORT = 8443;

/** Writes the pattern as fast as it is taken. */
function pour(stream: Writable, bytes: number): Source {
  const source = { bytes: 0, stream };
  const more = (): void => {
    while (source.bytes < bytes && !stream.destroyed) {
      const chunk = pattern(source.bytes, Math.min(CHUNK_BYTES, bytes - source.bytes));
      source.bytes += chunk.length;
      if (!stream.write(chunk)) return;
    }
    if (!stream.writableEnded) stream.end();
  };
  stream.on('error', () => {}); // the reader left
  stream.on('drain', more);
  more();
  return source;
}

/** Reads until `check` has seen `wantedBytes`, and no further than the chunk at hand. */
async function readSome(body: Readable, check: PatternCheck, wantedBytes: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const take = (chunk: Buffer): void => {
      check.feed(chunk);
      if (check.bytes < wantedBytes) return;
      body.off('data', take).off('error', reject).pause();
      resolve();
    };
    body.on('data', take).once('error', reject).resume();
  });
}

/** Reads to the end. */
async function readAll(body: Readable, check = new PatternCheck()): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    body
      .on('data', (chunk: Buffer) => check.feed(chunk))
      .once('error', reject)
      .once('end', resolve)
      .resume();
  });
}
