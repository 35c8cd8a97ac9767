import { setTimeout as pause } from 'node:timers/promises';
import { inflateRawSync } from 'node:zlib';
import { FrameType } from '../../../tunnel/wire/codes.ts';
import type { AgentCase } from '../case.ts';
import { expectEqual, expectThat } from '../expect.ts';
import { FIRST_CREDIT_BYTES } from '../gateway/bodies.ts';
import { credit } from '../gateway/words.ts';
import type { FrameOf, RawPeer } from '../peer.ts';
import { counted } from './bodies.ts';
import type { AgentLab } from './lab.ts';

const KIB = 1024;
const GRANT_BYTES = 64 * KIB;
/** Enough of them to say how slow the link is. */
const GRANTS = 12;
/** Between two of them, of the agent's time: about 1 MB/s. */
const GRANT_EVERY_MS = 60;
/** A list of namespaces; much of it is the same again and again. */
const LIST = JSON.stringify({ kind: 'NamespaceList', items: Array(3_000).fill({ metadata: { name: 'default' } }) });
let lists = 0;

/** §4: DEFLATED. */
export const compressionCases: readonly AgentCase[] = [
  {
    rule: '4.17',
    title: 'sends no DEFLATED without the feature, however slow the link',
    run: async (lab) => {
      const { peer } = await lab.session({ features: [] });
      await slowDown(lab, peer);
      const { head, body } = await list(lab, peer);
      expectEqual('whether HEAD says DEFLATED', head.isDeflated ?? false, false);
      expectThat('the body as it is', body.toString() === LIST);
    },
  },
  {
    rule: '4.17',
    title: 'sends DEFLATED with the feature only over a body that inflates to the answer',
    run: async (lab) => {
      const { peer } = await lab.session({ features: ['deflate'] });
      await slowDown(lab, peer);
      const { head, body } = await list(lab, peer);
      const plain = head.isDeflated === true ? inflateRawSync(body) : body;
      expectThat('the body of the answer', plain.toString() === LIST);
    },
  },
];

/** Takes an answer so slowly that the agent finds the link slow. */
async function slowDown(lab: AgentLab, peer: RawPeer): Promise<void> {
  const { id, asked } = await lab.request(peer);
  asked.response.write(counted(2 * GRANTS * GRANT_BYTES));
  for (let grant = 0; grant < GRANTS; grant++) {
    const expected = FIRST_CREDIT_BYTES + grant * GRANT_BYTES;
    await peer.until('what the credit allows', () => peer.dataBytes(id) >= expected || undefined);
    await pause(lab.ms(GRANT_EVERY_MS));
    peer.send(credit(id, GRANT_BYTES));
  }
}

/** An answer as the API server gives it to a client that says nothing of encodings. */
async function list(
  lab: AgentLab,
  peer: RawPeer,
): Promise<{ head: FrameOf<typeof FrameType.Head>['head']; body: Buffer }> {
  lists += 1;
  const { id, asked } = await lab.request(peer, { path: `/api/v1/namespaces?tunnelspec=${lists}` });
  peer.send(credit(id, LIST.length));
  asked.response.writeHead(200, { 'content-type': 'application/json' }).end(LIST);
  const { head } = await peer.next(FrameType.Head, ({ streamId }) => streamId === id);
  await peer.next(FrameType.Data, ({ streamId, isEnd }) => streamId === id && isEnd);
  return { head, body: peer.body(id) };
}
