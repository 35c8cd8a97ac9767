import { randomUUID } from 'node:crypto';
import { ErrorCode, FrameType } from '../../../tunnel/wire/codes.ts';
import type { GatewayCase } from '../case.ts';
import { expectStatus, expectThat } from '../expect.ts';
import type { FrameOf, RawPeer } from '../peer.ts';
import type { Call } from './client.ts';
import type { GatewayLab } from './lab.ts';
import { emptyAnswer, goaway, head } from './words.ts';

/** §3: a session and the one after it. */
export const successorCases: readonly GatewayCase[] = [
  {
    rule: '3.11',
    title: 'ends an older session of the same instance and connection with REPLACED',
    run: async (lab) => {
      const identity = { instanceId: randomUUID(), connection: 1 };
      const older = await lab.agent(identity);
      const newer = await lab.agent(identity);
      await older.expectEndAtOnce(ErrorCode.Replaced);
      await newer.expectAlive();
    },
  },
  {
    rule: '3.11',
    title: 'takes a HELLO without a connection for the first',
    run: async (lab) => {
      const instanceId = randomUUID();
      const older = await lab.agent({ instanceId });
      await lab.agent({ instanceId, connection: 0 });
      await older.expectEndAtOnce(ErrorCode.Replaced);
    },
  },
  {
    rule: '3.11',
    title: 'leaves a session alone until its successor is greeted',
    run: async (lab) => {
      const older = await lab.agent();
      await lab.connect();
      await older.expectAlive();
    },
  },
  {
    rule: '3.11',
    title: 'leaves sessions of other instances and connections alone',
    run: async (lab) => {
      const instanceId = randomUUID();
      const peers = [
        await lab.agent({ instanceId }),
        await lab.agent({ instanceId, connection: 1 }),
        await lab.agent(),
      ];
      for (const peer of peers) await peer.expectAlive();
    },
  },
  {
    rule: '3.11',
    title: 'lets an older session finish that drains',
    run: async (lab) => {
      const identity = { instanceId: randomUUID(), connection: 0 };
      const older = await lab.agent(identity);
      const { call, open } = await lab.opened(older);
      older.send(goaway(open.streamId));
      await older.expectAlive();
      await lab.agent(identity);
      await older.expectAlive();
      older.send(emptyAnswer(open.streamId));
      expectStatus(await call.answer(), 200);
    },
  },
  {
    rule: '3.13',
    title: 'sends a request again that the agent says it never saw',
    run: async (lab) => {
      const { call, open, comeBack } = await lostWrite(lab);
      const peer = await comeBack(open.streamId - 1);
      const { streamId } = await peer.next(FrameType.Open);
      peer.send(emptyAnswer(streamId, 201));
      expectStatus(await call.answer(), 201);
    },
  },
  {
    rule: '3.13',
    title: 'says that a request with a body was not executed',
    run: async (lab) => {
      const { call, open, comeBack } = await lostWrite(lab, { hasBody: true });
      await comeBack(open.streamId - 1);
      expectUnexecuted(await call.answer());
    },
  },
  {
    rule: '3.13',
    title: 'does not know of a request that the agent saw',
    run: async (lab) => {
      const { call, open, comeBack } = await lostWrite(lab);
      const peer = await comeBack(open.streamId);
      await expectUnknown(call, peer);
    },
  },
  {
    rule: '3.13',
    title: 'does not know of a request that had an answer, whatever the agent says',
    run: async (lab) => {
      const { call, open, comeBack } = await lostWrite(lab, { isAnswered: true });
      const peer = await comeBack(open.streamId - 1);
      await expectUnknown(call, peer);
    },
  },
  {
    rule: '3.13',
    title: 'does not know of a request whose session is not named',
    run: async (lab) => {
      const { call, comeBack } = await lostWrite(lab);
      const peer = await comeBack(undefined);
      await expectUnknown(call, peer);
    },
  },
  {
    rule: '3.13',
    title: 'believes nobody but the instance that had the session',
    run: async (lab) => {
      const { call, open, comeBack } = await lostWrite(lab);
      const peer = await comeBack(open.streamId - 1, randomUUID());
      await expectUnknown(call, peer);
    },
  },
];

interface LostWrite {
  readonly call: Call;
  readonly open: FrameOf<typeof FrameType.Open>;
  /** The agent's next session. undefined: its HELLO has no `previous`. */
  readonly comeBack: (lastStreamId: number | undefined, instanceId?: string) => Promise<RawPeer>;
}

/** A POST whose session broke without a word. */
async function lostWrite(lab: GatewayLab, { hasBody = false, isAnswered = false } = {}): Promise<LostWrite> {
  const ownId = randomUUID();
  const peer = await lab.connect();
  peer.send(lab.hello({ instanceId: ownId }));
  const welcome = await peer.next(FrameType.Welcome);
  const { call, open } = await lab.opened(peer, { method: 'POST', hasBody });
  if (isAnswered) peer.send(head(open.streamId, 103));
  await peer.expectAlive();
  peer.drop();
  return {
    call,
    open,
    comeBack: (lastStreamId, instanceId = ownId) => {
      const previous = { sessionId: welcome.document['sessionId'], lastStreamId };
      return lab.agent({ instanceId, ...(lastStreamId === undefined ? {} : { previous }) });
    },
  };
}

/** 503 and Retry-After: nothing ran. */
function expectUnexecuted({ status, headers }: Awaited<ReturnType<Call['answer']>>): void {
  expectStatus({ status }, 503);
  expectThat('Retry-After, which promises that nothing ran', headers['retry-after'] !== undefined);
}

/** 504 without Retry-After, and no second OPEN. */
async function expectUnknown(call: Call, peer: RawPeer): Promise<void> {
  const { status, headers } = await call.answer();
  expectStatus({ status }, 504);
  expectThat('no Retry-After, which would promise that nothing ran', headers['retry-after'] === undefined);
  await peer.expectAlive();
  expectThat('no second OPEN', peer.all(FrameType.Open).length === 0);
}
