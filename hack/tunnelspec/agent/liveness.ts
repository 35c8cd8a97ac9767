import { ErrorCode, FrameType } from '../../../tunnel/wire/codes.ts';
import type { AgentCase } from '../case.ts';
import { expectThat } from '../expect.ts';
import { ping, pong, raw } from '../gateway/words.ts';

/** All of the agent's time. */
const INTERVAL_MS = 10_000;
const JITTER_SHARE = 0.2;
const SILENCE_MS = 30_000;
/** More of them than 30 s have. */
const BEATS = 6;
/** Of our own time: how late either process may be. */
const SLACK_MS = 1_000;

/** §9. */
export const livenessCases: readonly AgentCase[] = [
  {
    rule: '9.1',
    title: 'sends PING after the greeting and then every 10 s, give or take 2',
    isSlow: true,
    run: async (lab) => {
      const { peer } = await lab.session();
      await peer.next(FrameType.Ping, undefined, lab.ms(INTERVAL_MS / 2));
      for (let count = 0; count < 2; count++) {
        const startedMs = performance.now();
        await peer.next(FrameType.Ping, undefined, lab.ms(INTERVAL_MS * (1 + JITTER_SHARE)) + SLACK_MS);
        const tookMs = performance.now() - startedMs;
        expectThat('no PING much earlier', tookMs >= lab.ms(INTERVAL_MS * (1 - JITTER_SHARE)) / 2, tookMs);
      }
    },
  },
  {
    rule: '9.2',
    title: 'answers PING with PONG and its token',
    run: async (lab) => {
      const { peer } = await lab.session();
      const tokens = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff];
      peer.send(...tokens.map(ping));
      for (const asked of tokens) await peer.next(FrameType.Pong, ({ token }) => token === asked);
    },
  },
  {
    rule: '9.3',
    title: 'ends a session in which it hears nothing for 30 s',
    isSlow: true,
    run: async (lab) => {
      const { peer } = await lab.session();
      peer.answersPings = false;
      const startedMs = performance.now();
      // An agent that was stuck itself forgives once.
      const { code } = await peer.ended(lab.ms(2 * SILENCE_MS) + SLACK_MS);
      expectThat('30 s of patience', performance.now() - startedMs > lab.ms(SILENCE_MS) - SLACK_MS);
      expectThat('SILENT, if any code came', code === undefined || code === ErrorCode.Silent, code);
    },
  },
  {
    rule: '9.3',
    title: 'takes any byte for life, also of a message that is not yet whole',
    isSlow: true,
    run: async (lab) => {
      const { peer } = await lab.session();
      peer.answersPings = false;
      const message = raw(0x80, 0, 0, Buffer.alloc(BEATS));
      // Its own PINGs are the beat: one each 8 to 12 s.
      for (let beat = 0; beat < BEATS; beat++) {
        await peer.next(FrameType.Ping, undefined, lab.ms(INTERVAL_MS * (1 + JITTER_SHARE)) + SLACK_MS);
        peer.socket.send(message.subarray(beat, beat + 1), { binary: true, fin: false });
      }
      peer.socket.send(message.subarray(BEATS), { binary: true, fin: true });
      await peer.expectAlive();
    },
  },
  {
    rule: '9.4',
    title: 'ignores a PONG that it did not ask for',
    run: async (lab) => {
      const { peer } = await lab.session();
      peer.send(pong(12345), pong(0), pong(0xffffffff));
      await peer.expectAlive();
    },
  },
];
