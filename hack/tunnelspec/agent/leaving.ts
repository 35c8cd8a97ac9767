import { ErrorCode, FrameType, nameOf } from '../../../tunnel/wire/codes.ts';
import type { AgentCase } from '../case.ts';
import { expectEqual, expectThat } from '../expect.ts';
import { goaway, raw, reset } from '../gateway/words.ts';
import type { RawPeer } from '../peer.ts';
import { counted } from './bodies.ts';
import { breaches } from './breach.ts';
import type { AgentLab, UnderWay } from './lab.ts';
import { isSlotMissing, slotIsBack } from './slots.ts';

const MANY_BYTES = 1024 * 1024;
/** A session that lasted so long is followed at once; of the agent's time. */
const STABLE_MS = 60_000;
/** So long that a random part of it is long as well. */
const VERY_LONG_MS = 1e9;
/** Of our own time, for what an agent does at once. */
const SOON_MS = 3_000;

/** How far a request can have come when it is reset. */
const STAGES: Readonly<Record<string, (lab: AgentLab, peer: RawPeer) => Promise<UnderWay>>> = {
  'that waits for its answer': (lab, peer) => lab.request(peer),
  'amidst its body': (lab, peer) => lab.post(peer),
  'amidst its answer': async (lab, peer) => {
    const underWay = await lab.request(peer);
    underWay.asked.response.write(counted(MANY_BYTES));
    await peer.next(FrameType.Data, ({ streamId }) => streamId === underWay.id);
    return underWay;
  },
};

const cancelled: readonly AgentCase[] = Object.entries(STAGES).map(([what, begin]) => ({
  rule: '7.2',
  title: `ends a request ${what} at the upstream when it is reset, then announces its slot again`,
  run: async (lab) => {
    const session = await lab.session();
    const { peer } = session;
    const { id, asked } = await begin(lab, peer);
    expectThat('no slot while the request runs', isSlotMissing(session));
    peer.send(reset(id, ErrorCode.Cancel));
    await slotIsBack(session);
    const late = lab.roundTrip(peer).then(() => lab.roundTrip(peer));
    const seen = await Promise.race([asked.closed, late.then(() => 'under way')]);
    expectEqual('the request at the upstream once its slot is free', seen, 'aborted');
  },
}));

const resets: readonly AgentCase[] = Object.entries(STAGES).map(([what, begin]) => ({
  rule: '7.3',
  title: `does not answer the RESET of a request ${what}`,
  run: async (lab) => {
    const { peer } = await lab.session();
    const { id, asked } = await begin(lab, peer);
    peer.send(reset(id, ErrorCode.Cancel));
    await asked.closed;
    await peer.expectAlive();
    const ends: readonly number[] = [FrameType.Reset, FrameType.Refused];
    const answers = peer.heard.filter(
      (frame) => ends.includes(frame.type) && 'streamId' in frame && frame.streamId === id,
    );
    expectEqual('the answers', answers.length, 0);
  },
}));

const refusals: readonly AgentCase[] = [
  {
    rule: '7.4',
    title: 'sends nothing of a request upstream that it refuses',
    run: async (lab) => {
      const { peer } = await lab.session();
      await lab.configure(peer, { limits: { maxBufferBytes: 0 } });
      const path = `/tunnelspec/refused/${lab.upstream.asked.length}`;
      const [nobody, tooMany] = [lab.open(peer, { path, identity: undefined }), lab.open(peer, { path })];
      peer.send(nobody, tooMany);
      for (const { streamId } of [nobody, tooMany])
        await peer.next(FrameType.Refused, (frame) => frame.streamId === streamId);
      await lab.configure(peer, {});
      await lab.request(peer);
      const wasMade = lab.upstream.asked.some(({ request }) => request.url === path);
      expectEqual('whether a refused request was made', wasMade, false);
    },
  },
  {
    rule: '7.4',
    title: 'resets, and does not refuse, a request that the upstream may have executed',
    run: async (lab) => {
      const { peer } = await lab.session();
      const { id, asked } = await lab.request(peer, { method: 'DELETE' });
      asked.response.destroy();
      await expectReset(peer, id);
    },
  },
  {
    rule: '7.4',
    title: 'resets, and does not refuse, a request after its HEAD',
    run: async (lab) => {
      const { peer } = await lab.session();
      const { id, asked } = await lab.request(peer);
      asked.response.write('{');
      await peer.next(FrameType.Head, ({ streamId }) => streamId === id);
      asked.response.destroy();
      await expectReset(peer, id);
    },
  },
];

/** @throws Error when the stream ends otherwise, or does not end. */
async function expectReset(peer: RawPeer, id: number): Promise<void> {
  const ends: readonly number[] = [FrameType.Reset, FrameType.Refused];
  const end = await peer.until('the end of the stream', () =>
    peer.heard.find((frame) => ends.includes(frame.type) && 'streamId' in frame && frame.streamId === id),
  );
  expectEqual('the type of the frame that ends the stream', end.type, FrameType.Reset);
}

const drained: readonly AgentCase[] = [
  {
    rule: '7.7',
    title: 'serves what came before its GOAWAY, and refuses what comes later with DRAINING',
    run: async (lab) => {
      const { peer } = await lab.session();
      const { id, asked } = await lab.request(peer);
      lab.terminate();
      const { document } = await peer.next(FrameType.Goaway);
      expectEqual('lastStreamId', document['lastStreamId'], id);
      const late = lab.open(peer);
      peer.send(late);
      const { code } = await peer.next(FrameType.Refused, ({ streamId }) => streamId === late.streamId);
      expectEqual('the code', nameOf(code), nameOf(ErrorCode.Draining));
      asked.response.end('{}');
      await peer.next(FrameType.Data, ({ streamId, isEnd }) => streamId === id && isEnd);
      await lab.restart();
    },
  },
  {
    rule: '7.8',
    title: 'closes the session that it drains when its last stream is gone, not before',
    run: async (lab) => {
      const { peer } = await lab.session();
      const streams = [await lab.request(peer), await lab.request(peer)];
      lab.terminate();
      await peer.next(FrameType.Goaway);
      for (const { id, asked } of streams) {
        await peer.expectAlive();
        asked.response.end('{}');
        await peer.next(FrameType.Data, ({ streamId, isEnd }) => streamId === id && isEnd);
      }
      await peer.ended();
      await lab.restart();
    },
  },
  {
    rule: '7.8',
    title: 'closes the session that it drains at once when it has no stream',
    run: async (lab) => {
      const { peer } = await lab.session();
      lab.terminate();
      await peer.ended();
      await lab.restart();
    },
  },
];

const successors: readonly AgentCase[] = [
  {
    rule: '7.9',
    title: 'dials the next session while the gateway drains this one',
    run: async (lab) => {
      const { peer } = await lab.session();
      const { id, asked } = await lab.request(peer);
      peer.send(goaway(id, { reason: 'the gateway leaves' }));
      const next = await lab.connection(SOON_MS);
      await next.next(FrameType.Hello);
      next.send(lab.welcome());
      await next.expectAlive();
      expectThat('the old session to go on beside the next one', !peer.isOver);
      asked.response.end('{}');
      await peer.next(FrameType.Data, ({ streamId, isEnd }) => streamId === id && isEnd);
      await next.expectAlive();
    },
  },
  {
    rule: '7.9',
    title: 'dials at once, however long it would otherwise wait, when the session was stable',
    isSlow: true,
    run: async (lab) => {
      const { peer } = await lab.session();
      const { id } = await lab.request(peer, { isLongRunning: true });
      await lab.configure(peer, { reconnect: { minBackoffMs: VERY_LONG_MS, maxBackoffMs: VERY_LONG_MS } });
      const stableAt = Date.now() + lab.ms(STABLE_MS + 1_000);
      // PINGs of the agent's own time.
      while (Date.now() < stableAt) await peer.next(FrameType.Ping, undefined, lab.ms(15_000) + 2_000);
      peer.send(goaway(id, { reason: 'the gateway leaves' }));
      const next = await lab.connection(SOON_MS).catch(async (error: unknown) => {
        // It would keep the next cases waiting.
        await lab.target.restart?.();
        throw error;
      });
      expectThat('the old session to be there still', !peer.isOver);
      // Its CONFIG makes the agent come again soon for the next case.
      await next.next(FrameType.Hello);
      next.send(lab.welcome());
      await lab.configure(next, {});
    },
  },
];

const attempts: readonly AgentCase[] = [
  {
    rule: '7.10',
    title: 'has one attempt under way, however many things fail at once and however often',
    run: async (lab) => {
      const { gateway } = lab;
      const { peer } = await lab.session();
      const open = lab.open(peer, { method: 'POST' }, false);
      peer.send(open);
      gateway.recount();
      gateway.refusal = 503;
      // Farewell, a breach, another one, and the end of the connection.
      peer.send(goaway(open.streamId));
      peer.sendBytes(raw(0x0f, 0, 0));
      peer.sendText('gone');
      peer.drop();
      const { length } = gateway.attempts;
      await gateway.until(
        'three refused attempts',
        () => gateway.attempts.length >= length + 3 || undefined,
        lab.ms(60_000),
      );
      gateway.dropAll();
      gateway.refusal = undefined;
      await lab.session();
      expectEqual('the most attempts at once', gateway.mostPending, 1);
    },
  },
];

/** §7. */
export const leavingCases: readonly AgentCase[] = [
  ...cancelled,
  ...resets,
  ...refusals,
  ...drained,
  ...successors,
  ...attempts,
  ...breaches('7.11', ErrorCode.Protocol, {
    'GOAWAY without members': () => raw(FrameType.Goaway, 0, 0, '{}'),
    'GOAWAY whose last stream is a text': () =>
      raw(FrameType.Goaway, 0, 0, '{"lastStreamId":"1","code":0,"reason":""}'),
  }),
];
