import { ErrorCode, FrameType } from '../../../tunnel/wire/codes.ts';
import type { GatewayCase } from '../case.ts';
import { expectEqual, expectThat } from '../expect.ts';
import type { RawPeer } from '../peer.ts';
import type { GatewayLab } from './lab.ts';
import { ping, pong, raw } from './words.ts';

const PING_MS = 10_000;
const SILENT_MS = 30_000;
/** By how much the first of several may have come late to us, in ms of ours. */
const SLACK_MS = 1_000;

/** §9. */
export const livenessCases: readonly GatewayCase[] = [
  {
    rule: '9.1',
    title: 'sends PING after the greeting and then every 10 s',
    isSlow: true,
    run: async (lab) => {
      const peer = await lab.agent();
      await peer.next(FrameType.Ping, undefined, lab.ms(PING_MS / 2));
      const beganMs = Date.now();
      for (let count = 0; count < 3; count++) {
        await peer.next(FrameType.Ping, undefined, lab.ms(PING_MS * 1.2) + 2_000);
      }
      const tookMs = Date.now() - beganMs;
      expectThat('10 s between two PING', tookMs > 3 * lab.ms(PING_MS * 0.8) - SLACK_MS, tookMs);
    },
  },
  ...[0, 1, 2 ** 31, 2 ** 32 - 1].map(
    (token): GatewayCase => ({
      rule: '9.2',
      title: `answers PING ${token} with its token`,
      run: async (lab) => {
        const peer = await lab.agent();
        peer.send(ping(token));
        expectEqual('the token', (await peer.next(FrameType.Pong)).token, token);
      },
    }),
  ),
  {
    rule: '9.3',
    title: 'ends the session with SILENT after 30 s without a byte',
    isSlow: true,
    run: async (lab) => {
      const peer = await lab.agent();
      peer.answersPings = false;
      const beganMs = Date.now();
      await peer.expectAlive();
      const { code = ErrorCode.Silent } = await peer.ended(lab.ms(SILENT_MS) * 2 + 3_000);
      const tookMs = Date.now() - beganMs;
      expectEqual('the code of GOAWAY, if there was time for one', code, ErrorCode.Silent);
      expectThat('30 s of patience', tookMs > lab.ms(SILENT_MS * 0.95), tookMs);
    },
  },
  ...keepsAlive({
    'frames that are no answer': (peer) => peer.send(pong(1)),
    'frames that it skips': (peer) => peer.sendBytes(raw(0x80, 0, 0)),
    'pieces of one message': (peer) => peer.socket.send('', { binary: true, fin: false }),
  }),
  {
    rule: '9.4',
    title: 'ignores PONG that nobody asked for',
    run: async (lab) => {
      const peer = await lab.agent();
      peer.send(pong(2 ** 32 - 1), pong(12_345), pong(0));
      await peer.expectAlive();
    },
  },
];

/** A peer that answers no PING for longer than the silence of a dead one. */
function keepsAlive(signs: Readonly<Record<string, (peer: RawPeer) => void>>): GatewayCase[] {
  return Object.entries(signs).map(([what, give]) => ({
    rule: '9.3',
    title: `takes ${what} for life`,
    isSlow: true,
    run: async (lab) => {
      const peer = await lab.agent();
      peer.answersPings = false;
      const beat = setInterval(() => give(peer), lab.ms(PING_MS));
      try {
        await outlives(lab, peer);
      } finally {
        clearInterval(beat);
      }
    },
  }));
}

/** The peer's own heartbeat says that its time has passed. */
async function outlives(lab: GatewayLab, peer: RawPeer): Promise<void> {
  const beganMs = Date.now();
  const enoughMs = lab.ms(SILENT_MS * 1.4);
  const look = () => {
    if (peer.isOver) throw new Error(`expected the session to go on, it ended after ${Date.now() - beganMs} ms`);
    return Date.now() - beganMs > enoughMs || undefined;
  };
  await peer.until('PING after the time of silence', look, enoughMs + lab.ms(PING_MS * 2));
}
