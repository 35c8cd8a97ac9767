import { FrameType } from '../../../tunnel/wire/codes.ts';
import type { AgentCase } from '../case.ts';
import { expectEqual, expectThat } from '../expect.ts';
import { FIRST_CREDIT_BYTES } from '../gateway/bodies.ts';
import { credit, data, trailers } from '../gateway/words.ts';
import { counted, received, upload } from './bodies.ts';
import { BODY_BEGINS } from './lab.ts';

const KIB = 1024;
/** Enough for whatever a case answers. */
const PLENTY_BYTES = 8 * KIB * KIB;

const halves: readonly AgentCase[] = [
  {
    rule: '4.10',
    title: 'takes the rest of a body whose answer is complete',
    run: async (lab) => {
      const { peer } = await lab.session();
      const { id, asked } = await lab.post(peer);
      asked.response.end('{}');
      await peer.next(FrameType.Data, ({ streamId, isEnd }) => streamId === id && isEnd);
      // More than the first credit: it only goes on when somebody still takes it.
      await upload(peer, id, counted(4 * FIRST_CREDIT_BYTES - 13));
      await peer.expectAlive();
      const resets = peer.all(FrameType.Reset).filter(({ streamId }) => streamId === id);
      expectEqual('the RESETs of the stream', resets.length, 0);
    },
  },
  {
    rule: '4.10',
    title: 'answers when the body has long been complete',
    run: async (lab) => {
      const { peer } = await lab.session();
      const { id, asked } = await lab.post(peer);
      await upload(peer, id, counted(100));
      expectEqual('the bytes of the body', (await received(asked)).length, BODY_BEGINS.length + 100);
      await peer.expectAlive();
      asked.response.write('first');
      await peer.until('the first part', () => peer.body(id).toString() === 'first' || undefined);
      asked.response.end(', last');
      await peer.next(FrameType.Data, ({ streamId, isEnd }) => streamId === id && isEnd);
      expectEqual('the answer', peer.body(id).toString(), 'first, last');
    },
  },
];

const order: readonly AgentCase[] = [
  {
    rule: '4.11',
    title: 'sends head, body and trailers of each answer in their order, also when answers take turns',
    run: async (lab) => {
      const { peer } = await lab.session();
      const body = counted(300 * KIB);
      const [one, other] = [await lab.request(peer), await lab.request(peer)];
      peer.send(credit(one.id, PLENTY_BYTES), credit(other.id, PLENTY_BYTES));
      for (const { asked } of [one, other]) {
        asked.response.writeHead(200, { trailer: 'x-last' });
        for (let at = 0; at < body.length; at += 5_000) asked.response.write(body.subarray(at, at + 5_000));
        asked.response.addTrailers({ 'x-last': 'yes' });
        asked.response.end();
      }
      for (const { id } of [one, other]) {
        await peer.next(FrameType.Trailers, ({ streamId }) => streamId === id);
        expectThat('the body to be whole and in order', peer.body(id).equals(body));
        const types = peer.heard.flatMap((frame) => ('streamId' in frame && frame.streamId === id ? [frame.type] : []));
        expectEqual('the first frame', types[0], FrameType.Head);
        expectEqual('the last frame', types.at(-1), FrameType.Trailers);
      }
    },
  },
  {
    rule: '4.11',
    title: 'passes a body on in its order',
    run: async (lab) => {
      const { peer } = await lab.session();
      const body = counted(300 * KIB);
      const { id, asked } = await lab.post(peer);
      const [came] = await Promise.all([received(asked), upload(peer, id, body)]);
      expectThat('the body to be whole and in order', came.equals(Buffer.concat([Buffer.from(BODY_BEGINS), body])));
    },
  },
];

const FIELDS = ['X-First', 'one', 'x-second', 'gr\xfcn', 'X-First', 'again'] as const;

const atTheEnd: readonly AgentCase[] = [
  {
    rule: '4.12',
    title: 'sends trailers as the upstream sent them',
    run: async (lab) => {
      const { peer } = await lab.session();
      const { id, asked } = await lab.request(peer);
      asked.response.write('body');
      asked.response.addTrailers([
        [FIELDS[0], FIELDS[1]],
        [FIELDS[2], FIELDS[3]],
        [FIELDS[4], FIELDS[5]],
      ]);
      asked.response.end();
      const came = await peer.next(FrameType.Trailers, ({ streamId }) => streamId === id);
      expectEqual('the trailers', JSON.stringify(came.trailers), JSON.stringify(FIELDS));
    },
  },
  {
    rule: '4.12',
    title: 'takes TRAILERS for the end of a body',
    run: async (lab) => {
      const { peer } = await lab.session();
      const { id, asked } = await lab.post(peer);
      peer.send(data(id, 'body'), trailers(id, FIELDS));
      expectEqual('the body', (await received(asked)).toString(), `${BODY_BEGINS}body`);
    },
  },
];

/** §4: what a stream carries. */
export const halfCases: readonly AgentCase[] = [...halves, ...order, ...atTheEnd];
