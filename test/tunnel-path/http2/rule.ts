import { expect } from 'chai';
import { whole } from '../../support/gateway-fixture.ts';
import { Code, type Fields, RawHttp2 } from '../../support/raw-http2.ts';
import { turns, until } from '../../support/turns.ts';
import { PODS } from '../hostile.ts';
import { ALICE, identityIn, type WholePath } from '../whole-path.ts';

/** What becomes of a client's bytes. Codes: any of them; a stream error may be taken for one of the connection (RFC 9113 §5.4). */
export type Verdict =
  | { readonly is: 'ended'; readonly codes: readonly number[] }
  | { readonly is: 'reset'; readonly id: number; readonly codes: readonly number[] }
  | { readonly is: 'answered'; readonly id: number; readonly status: number }
  | { readonly is: 'ignored' };

/** One sentence of the RFC, broken or kept. */
export interface Rule {
  readonly what: string;
  /** Instead of the preface and empty SETTINGS. */
  readonly first?: Uint8Array;
  readonly say: readonly Uint8Array[];
  readonly verdict: Verdict;
  /** Requests that may reach the target, at most: whole heads that came before the trouble. None unless told. */
  readonly arriving?: number;
}

/** Node says INTERNAL_ERROR of much that is the client's fault. Harmless: the connection ends all the same. */
export const ended = (...codes: number[]): Verdict => ({ is: 'ended', codes: [...codes, Code.Internal] });
export const reset = (id: number, ...codes: number[]): Verdict => ({
  is: 'reset',
  id,
  codes: [...codes, Code.Internal],
});
export const answered = (status: number, id = 1): Verdict => ({ is: 'answered', id, status });
export const ignored: Verdict = { is: 'ignored' };

/** Requests of alice. */
export const GET: Fields = request('GET');
export const POST: Fields = request('POST');

function request(method: string): Fields {
  return [
    [':method', method],
    [':scheme', 'https'],
    [':authority', 'g'],
    [':path', PODS],
    ['authorization', 'Bearer alice'],
  ];
}

/** Without the fields of that name. */
export function without(name: string, fields: Fields = GET): Fields {
  return fields.filter(([each]) => each !== name);
}

/** With that value at that name's place. */
export function withValue(name: string, value: string, fields: Fields = GET): Fields {
  return fields.map(([each, old]) => [each, each === name ? value : old]);
}

/** Says it on a connection of its own, and holds the gateway to the verdict; others are served as before. */
export async function expectRule(path: WholePath, { first, say, verdict, arriving = 0 }: Rule): Promise<void> {
  const before = path.upstream.received.length;
  const connection = await RawHttp2.open(path.gateway, first);
  connection.send(...say);
  await expectVerdict(connection, verdict);
  connection.raw.leave();
  await expectNothingLeft(path);
  const arrived = path.upstream.received.slice(before);
  expect(arrived.length, 'requests at the target').to.be.at.most(arriving);
  for (const { rawHeaders } of arrived) {
    expect(identityIn(rawHeaders)).to.deep.equal(ALICE);
    expect(JSON.stringify(rawHeaders)).to.not.match(STRANGE);
  }
  await expectHonest(path);
}

/** What no field of a broken rule may become at the target. */
const STRANGE = /root|x.?test|\\[rnu]/i;

/** Node may keep a connection whose client broke the protocol: not for longer than it may be idle. */
async function expectNothingLeft(path: WholePath): Promise<void> {
  if (!(await isQuiet(path))) await path.gateway.pass(90_000);
  await path.quiet();
  await until(() => path.gateway.counts.connections === AGENTS);
}

/** The connection of the path's agent. */
const AGENTS = 1;

async function isQuiet({ gateway, agent }: WholePath): Promise<boolean> {
  await turns();
  return gateway.isQuiet && agent.busy === 0 && gateway.counts.connections === AGENTS;
}

/** Somebody else is served. */
export async function expectHonest(path: WholePath): Promise<void> {
  const client = path.gateway.client('h2');
  expect((await whole(client, { path: PODS })).status, 'the status of an honest request').to.equal(200);
  client.close();
}

async function expectVerdict(connection: RawHttp2, verdict: Verdict): Promise<void> {
  switch (verdict.is) {
    case 'ignored': {
      expect(await connection.isAlive(), `alive, but gone away with ${connection.goneAway}`).to.equal(true);
      const resets = connection.frames.filter(({ type }) => type === 0x3);
      return void expect(resets).to.have.length(0);
    }
    case 'answered': {
      const { id, status } = verdict;
      await until(() => connection.hasEnded(id) || connection.resetOf(id) !== undefined || connection.isClosed);
      expect(connection.statusOf(id), said(connection)).to.equal(status);
      if (status >= 400) expect(JSON.parse(connection.bodyOf(id))).to.include({ kind: 'Status', code: status });
      return;
    }
    case 'reset': {
      const { id, codes } = verdict;
      const isOver = () => connection.isClosed || connection.goneAway !== undefined;
      await until(() => connection.resetOf(id) !== undefined || connection.hasEnded(id) || isOver());
      return void expect(connection.resetOf(id) ?? connection.goneAway, said(connection)).to.be.oneOf([...codes]);
    }
    case 'ended':
      await until(() => connection.isClosed || connection.goneAway !== undefined);
      // The connection may be closed without a word (RFC 9113 §5.4.1).
      if (connection.goneAway === undefined) return;
      return void expect(connection.goneAway, said(connection)).to.be.oneOf([...verdict.codes]);
  }
}

function said({ frames }: RawHttp2): string {
  return frames.map(({ type, id, payload }) => `${type}@${id}:${payload.toString('hex').slice(0, 40)}`).join(' ');
}
