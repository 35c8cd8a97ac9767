import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { type Random, seeded, seedOf } from '../../hack/fuzz/random.ts';
import type { RawConnection } from '../support/gateway-fixture.ts';
import { http1Answers } from '../support/http1-answers.ts';
import { type Fields, headers, RawHttp2 } from '../support/raw-http2.ts';
import { strictRequests } from '../support/strict-http1.ts';
import type { Received } from '../support/stub-upstream.ts';
import { turns, until } from '../support/turns.ts';
import { expectHonest } from './http2/rule.ts';
import { http1Input } from './malformed/http1-input.ts';
import { fieldsInput, framesInput } from './malformed/http2-input.ts';
import { ALICE, identityIn, WholePath } from './whole-path.ts';

/** Another one is tried with SEED=…; it is said when a test fails. */
const SEED = Number(process.env['SEED'] ?? 20_26);
/** Connections at once. */
const LANES = 8;
const INPUTS = { http1: 3_000, fields: 5_000, frames: 2_000 };
const LISTS_A_CONNECTION = 12;
/** A connection that has said nothing for so many turns of the event loop waits for more. */
const QUIET_TURNS = 60;
const PREFIX = '/clusters/c1';

/** A client without any manners, who is logged in: what he sends harms nobody, and nothing that is no request arrives. */
describe('tunnel-path/malformed', function () {
  this.timeout(180_000);
  let path: WholePath;

  beforeEach(async () => {
    path = await WholePath.start();
    path.upstream.answer = (_, response) => response.end('ok\n');
    path.upstream.script = { instead: 'HTTP/1.1 403 No\r\nContent-Length: 3\r\n\r\nno\n' };
  });
  afterEach(async () => {
    await until(() => path.gateway.counts.connections === 1);
    await expectHonest(path);
    await path.stop();
  });

  it(`HTTP/1.1: ${INPUTS.http1} requests and nearly requests (seed ${SEED})`, async () => {
    const allowed: Allowed[] = [];
    const everything: string[] = [];
    await inLanes(INPUTS.http1, async (take) => {
      const raw = await path.gateway.raw('http/1.1', { allowHalfOpen: true });
      const said = await sayHttp1(raw, take);
      const requests = strictRequests(said);
      allowed.push(...requests);
      everything.push(said.toString('latin1'));
      expectValid(
        raw.text,
        requests.map(({ method }) => method),
        said,
      );
      raw.leave();
    });
    await settled(path);
    const arrived = [...path.upstream.received, ...path.upstream.upgrades.map(({ request }) => request)];
    expectAllowed(
      arrived.map((each) => ({ method: each.method ?? '', url: each.url ?? '', ...bodyOf(each) })),
      allowed,
      everything,
    );
    expect(path.upstream.received.length, 'requests that were good').to.be.above(INPUTS.http1 / 20);
    expectAlices(path);
  });

  it(`HTTP/2: ${INPUTS.fields} lists of fields (seed ${SEED})`, async () => {
    const allowed: Allowed[] = [];
    await inLanes(INPUTS.fields, async (take) => {
      const connection = await RawHttp2.open(path.gateway);
      const inputs = Array.from({ length: LISTS_A_CONNECTION }, take).filter((random) => random !== undefined);
      const lists = inputs.map((random) => fieldsInput(random));
      for (const [at, fields] of lists.entries()) {
        const request = strictFields(fields);
        if (request !== undefined) allowed.push(request);
        connection.send(headers(2 * at + 1, fields));
      }
      const isOver = (id: number) => connection.hasEnded(id) || connection.resetOf(id) !== undefined;
      await until(() => isGone(connection) || lists.every((_, at) => isOver(2 * at + 1)));
      for (const at of lists.keys()) expectStatus(connection, 2 * at + 1);
      connection.raw.leave();
    });
    await settled(path);
    expectAllowed(
      path.upstream.received.map(({ method, url }) => ({ method, url })),
      allowed,
    );
    expect(path.upstream.received.length, 'requests that were good').to.be.above(INPUTS.fields / 20);
    expectAlices(path);
  });

  it(`HTTP/2: ${INPUTS.frames} requests with damaged frames (seed ${SEED})`, async () => {
    await inLanes(INPUTS.frames, async (take) => {
      const connection = await RawHttp2.open(path.gateway);
      for (let id = 1; !isGone(connection); id += 2) {
        const random = take();
        if (random === undefined) break;
        connection.send(framesInput(id, random));
        await turns(5);
      }
      await calm(connection.raw);
      connection.raw.leave();
    });
    await settled(path);
    // What damaged bytes mean is HPACK's to say: here it is enough that what arrives is a request, and alice's.
    for (const { method, url } of path.upstream.received) {
      expect(method).to.match(METHOD);
      expect(url)
        .to.match(/^\/[\x21-\x7e]*$/)
        .and.not.match(/\/\.\.?(\/|$)|\/\//);
    }
    expect(path.upstream.received.length, 'requests that were good').to.be.above(INPUTS.frames / 50);
    expectAlices(path);
  });
});

/** What Node keeps of a connection whose client broke HTTP/2 goes in this time. */
async function settled(path: WholePath): Promise<void> {
  await turns();
  await path.gateway.pass(150_000);
  await path.quiet();
}

const METHOD = /^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$/;

interface Allowed {
  readonly method: string;
  readonly target: string;
  readonly body?: Buffer | undefined;
}

interface Arrived {
  readonly method: string;
  readonly url: string;
  /** Of the body, if it came whole. */
  readonly sha256?: string;
}

/** Gives the next input's randomness; undefined: there are no more. */
type Take = () => Random | undefined;

/** Every input once: several connections at once, each of which takes as many as it lives for. */
async function inLanes(count: number, run: (take: Take) => Promise<void>): Promise<void> {
  let next = 0;
  const take = () => (next < count ? seeded(seedOf(SEED, next++)) : undefined);
  const lane = async () => {
    while (next < count) await run(take);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

/** One input after the other, for as long as each is answered: one that is not swallows the next. The bytes that were sent. */
async function sayHttp1(raw: RawConnection, take: Take): Promise<Buffer> {
  let said = '';
  while (!raw.hasEnded && !raw.isClosed) {
    const random = take();
    if (random === undefined) break;
    const input = http1Input(random);
    raw.write(input);
    said += input;
    const heard = raw.text.length;
    await calm(raw);
    if (raw.text.length === heard) break;
  }
  return Buffer.from(said, 'latin1');
}

/** Resolves when a connection has ended, or says nothing more. */
async function calm(raw: RawConnection): Promise<void> {
  for (let quiet = 0, heard = 0; quiet < QUIET_TURNS && !raw.hasEnded && !raw.isClosed; quiet++) {
    await turns(1);
    if (raw.text.length > heard) quiet = 0;
    heard = raw.text.length;
  }
}

function isGone(connection: RawHttp2): boolean {
  return connection.isClosed || connection.goneAway !== undefined;
}

/** Answers are whole, and errors a Status or, to kubectl, its text. */
function expectValid(text: string, methods: readonly string[], said: Buffer): void {
  for (const { status, headers: fields, body } of http1Answers(text, methods)) {
    if (status < 400 || body === 'no\n' || body === '') continue;
    if (fields.get('content-type') !== 'application/json') continue;
    expect(JSON.parse(body), said.toString('latin1')).to.include({ kind: 'Status', code: status });
  }
}

function expectStatus(connection: RawHttp2, id: number): void {
  const status = connection.statusOf(id);
  const body = connection.bodyOf(id);
  if (status === undefined || status < 400 || body === '') return;
  expect(JSON.parse(body)).to.include({ kind: 'Status', code: status });
}

function bodyOf(arrived: object): { sha256: string } | object {
  const { isWhole, sha256 } = arrived as Partial<Received>;
  return isWhole === true ? { sha256 } : {};
}

/** Whatever arrived was asked for in good order, as often as that, and whole bodies are those that were whole. */
function expectAllowed(arrived: readonly Arrived[], allowed: readonly Allowed[], said: readonly string[] = []): void {
  const left = [...allowed];
  for (const { method, url, sha256 } of arrived) {
    const isIt = (each: Allowed) =>
      each.method === method &&
      (each.target === PREFIX + url || (url === '/' && each.target === PREFIX)) &&
      (sha256 === undefined || (each.body !== undefined && hashOf(each.body) === sha256));
    const at = left.findIndex(isIt);
    const where = () => JSON.stringify(said.filter((text) => text.includes(url)));
    if (at < 0) expect.fail(`nobody asked for ${method} ${url} with body ${sha256}: ${where()}`);
    left.splice(at, 1);
  }
}

function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Nobody speaks for another at the target. */
function expectAlices({ upstream }: WholePath): void {
  const heads = [...upstream.received, ...upstream.upgrades].map(({ rawHeaders }) => rawHeaders);
  for (const rawHeaders of heads) expect(identityIn(rawHeaders)).to.deep.equal(ALICE);
}

const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const PSEUDO = [':method', ':scheme', ':authority', ':path'];
const OF_A_CONNECTION = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']);

/**
 * The request that a list of fields is by RFC 9113 §8.3; undefined: none. One leniency: nghttp2 drops a field whose name or
 * value is none, where the RFC would refuse the request.
 */
function strictFields(fields: Fields): Allowed | undefined {
  const kept = fields.filter(([name, value]) => name.startsWith(':') || (NAME.test(name) && VALUE.test(value)));
  const value = (name: string) => kept.find(([each]) => each === name)?.[1] ?? '';
  const count = (name: string) => kept.filter(([each]) => each === name).length;
  const names = kept.map(([name]) => name);
  const lastPseudo = names.findLastIndex((name) => name.startsWith(':'));
  const isWellFormed =
    names.every(
      (name, at) => name.startsWith(':') === at <= lastPseudo && (at > lastPseudo || PSEUDO.includes(name)),
    ) &&
    PSEUDO.every((name) => count(name) === 1 || (name === ':authority' && count(name) === 0 && count('host') === 1)) &&
    fields.every(([name]) => name === name.toLowerCase() && !OF_A_CONNECTION.has(name)) &&
    kept.every(([name, each]) => name !== 'te' || each === 'trailers') &&
    ['host', 'content-length'].every((name) => count(name) <= 1) &&
    /^0*$/.test(value('content-length')) &&
    /^\/[\x21-\x7e]*$/.test(value(':path')) &&
    METHOD.test(value(':method'));
  return isWellFormed ? { method: value(':method'), target: value(':path') } : undefined;
}
