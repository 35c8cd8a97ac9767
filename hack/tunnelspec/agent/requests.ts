import { ErrorCode, FrameType, nameOf } from '../../../tunnel/wire/codes.ts';
import type { Identity } from '../../../tunnel/wire/head.ts';
import type { AgentCase } from '../case.ts';
import { expectEqual, expectThat } from '../expect.ts';
import { FIRST_CREDIT_BYTES } from '../gateway/bodies.ts';
import { reset } from '../gateway/words.ts';
import type { FrameOf, RawPeer } from '../peer.ts';
import { counted } from './bodies.ts';
import type { AgentLab } from './lab.ts';
import { USUAL_WORKERS } from './settings.ts';

/** Of the agent's time. */
const DEADLINE_MS = 1_000;
/** Beyond the bound of any agent. */
const MANY_STREAMS = 2_560;
/** What one stream takes from the agent's budget. */
const RESERVE_BYTES = 16 * 1024;

const DENIED: Readonly<Record<string, Identity | undefined>> = {
  'no identity': undefined,
  'an identity without a user': { user: '', uid: '7', groups: ['developers'] },
  'a system: user': { user: 'system:admin', uid: '', groups: [] },
  'a service account of the hub': { user: 'system:serviceaccount:default:builder', uid: '', groups: [] },
  'a system: group': { user: 'jane', uid: '', groups: ['system:masters'] },
  'a system: group beside the one that may pass': {
    user: 'jane',
    uid: '',
    groups: ['system:authenticated', 'system:nodes'],
  },
};

const identities: readonly AgentCase[] = [
  ...Object.entries(DENIED).map(
    ([what, identity]): AgentCase => ({
      rule: '4.14',
      title: `refuses an OPEN with ${what}`,
      run: async (lab) => {
        const { peer } = await lab.session();
        const open = lab.open(peer, { identity });
        peer.send(open);
        const { streamId, code } = await peer.next(FrameType.Refused);
        expectEqual('the stream', streamId, open.streamId);
        expectEqual('the code', nameOf(code), nameOf(ErrorCode.PolicyDenied));
        await peer.expectAlive();
      },
    }),
  ),
  {
    rule: '4.14',
    title: 'takes an OPEN whose one system: group is system:authenticated',
    run: async (lab) => {
      const { peer } = await lab.session();
      const identity = { user: 'jane', uid: '7', groups: ['system:authenticated', 'developers'] };
      const { asked } = await lab.request(peer, { identity });
      expectEqual('the user at the upstream', asked.request.headers['impersonate-user'], 'jane');
    },
  },
];

const bounds: readonly AgentCase[] = [
  {
    rule: '4.15',
    title: 'refuses an OPEN beyond its buffer budget with OVERLOAD, and announces its slot again',
    run: async (lab) => {
      const { peer } = await lab.session();
      await lab.configure(peer, { limits: { maxBufferBytes: 2 * RESERVE_BYTES } });
      const first = await lab.request(peer);
      await lab.request(peer);
      const third = lab.open(peer);
      peer.send(third);
      const { streamId, code } = await peer.next(FrameType.Refused);
      expectEqual('the stream', streamId, third.streamId);
      expectEqual('the code', nameOf(code), nameOf(ErrorCode.Overload));
      await peer.next(FrameType.Slots, ({ slots }) => slots.ordinary === 1);
      first.asked.response.end('{}');
      await peer.next(FrameType.Data, (frame) => frame.streamId === first.id && frame.isEnd);
      await lab.request(peer);
    },
  },
  {
    rule: '4.15',
    title: 'refuses an OPEN beyond its bound of streams with OVERLOAD, and takes one when another is gone',
    isSlow: true,
    run: async (lab) => {
      const { peer } = await lab.session();
      await lab.configure(peer, {
        limits: { maxBufferBytes: 2 * MANY_STREAMS * RESERVE_BYTES },
        timeouts: { backpressureMs: 3_600_000 },
      });
      const { code } = await fill(lab, peer);
      expectEqual('the code', nameOf(code), nameOf(ErrorCode.Overload));
      lab.upstream.onAsked = undefined;
      peer.send(reset(1, ErrorCode.Cancel));
      await lab.request(peer);
    },
  },
];

/**
 * Opens streams whose answers wait for credit, never more at once than there are slots, until one is refused: it stands there for
 * streams, not for workers. @throws Error when none is.
 */
async function fill(lab: AgentLab, peer: RawPeer): Promise<FrameOf<typeof FrameType.Refused>> {
  const answer = counted(FIRST_CREDIT_BYTES + 1);
  lab.upstream.onAsked = ({ response }) => response.end(answer);
  const slots = () => peer.all(FrameType.Slots).reduce((sum, frame) => sum + frame.slots.ordinary, 0);
  for (let opened = 0; opened < MANY_STREAMS; opened += USUAL_WORKERS) {
    peer.send(...Array.from({ length: USUAL_WORKERS }, () => lab.open(peer, { path: '/tunnelspec/many' })));
    await peer.until('the slots', () => slots() >= opened + USUAL_WORKERS || undefined);
    const [refused] = peer.all(FrameType.Refused);
    if (refused !== undefined) return refused;
  }
  throw new Error(`expected a bound, it opened ${MANY_STREAMS} streams`);
}

const deadlines: readonly AgentCase[] = [
  ...[false, true].map(
    (isLongRunning): AgentCase => ({
      rule: '4.16',
      title: `ends ${isLongRunning ? 'a long-running' : 'an ordinary'} stream with DEADLINE, and what runs at the upstream with it`,
      run: async (lab) => {
        const { peer } = await lab.session();
        const { id, asked } = await lab.request(peer, { deadlineMs: DEADLINE_MS, isLongRunning });
        const { streamId, code } = await peer.next(FrameType.Reset, undefined, lab.ms(DEADLINE_MS) + 2_000);
        expectEqual('the stream', streamId, id);
        expectEqual('the code', nameOf(code), nameOf(ErrorCode.Deadline));
        expectEqual('the request at the upstream', await asked.closed, 'aborted');
        await peer.expectAlive();
      },
    }),
  ),
  {
    rule: '4.16',
    title: 'ends a stream with DEADLINE amidst its answer',
    run: async (lab) => {
      const { peer } = await lab.session();
      const { id, asked } = await lab.request(peer, { deadlineMs: DEADLINE_MS });
      asked.response.write('{');
      await peer.until('the answer to begin', () => peer.dataBytes(id) === 1 || undefined);
      const { code } = await peer.next(FrameType.Reset, undefined, lab.ms(DEADLINE_MS) + 2_000);
      expectEqual('the code', nameOf(code), nameOf(ErrorCode.Deadline));
      const hasEnd = peer.all(FrameType.Data).some(({ streamId, isEnd }) => streamId === id && isEnd);
      expectThat('the cut answer not to end', !hasEnd);
    },
  },
];

/** §4: what a request may be and take. */
export const requestCases: readonly AgentCase[] = [...identities, ...bounds, ...deadlines];
