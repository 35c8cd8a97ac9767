import { ErrorCode, Flag, FrameType } from '../../../tunnel/wire/codes.ts';
import type { Document } from '../../../tunnel/wire/documents.ts';
import type { Frame } from '../../../tunnel/wire/frame.ts';
import type { AgentCase } from '../case.ts';
import { expectEqual, expectThat } from '../expect.ts';
import { goaway, ping, raw, u32 } from '../gateway/words.ts';
import type { RawPeer } from '../peer.ts';
import type { AgentLab } from './lab.ts';
import { configFrame } from './settings.ts';

/** Both of the agent's time. */
const HANDSHAKE_MS = 5_000;
const SILENCE_MS = 30_000;

const hello: readonly AgentCase[] = [
  {
    rule: '3.1',
    title: 'says HELLO first, and does not wait for us',
    run: async (lab) => {
      const peer = await lab.connection();
      const { document } = await peer.next(FrameType.Hello);
      expectEqual('the first frame', peer.heard[0]?.type, FrameType.Hello);
      expectHello(document);
    },
  },
];

/** Members as they are listed on the page. */
function expectHello({ versions, features, instanceId, connection = 0, agentVersion, slots }: Document): void {
  const isCount = (value: unknown) => Number.isInteger(value) && Number(value) >= 0;
  const isText = (value: unknown) => typeof value === 'string' && value.length <= 256;
  const isList = (value: unknown, isMember: (each: unknown) => boolean) =>
    Array.isArray(value) && value.every((each) => isMember(each));
  expectThat('versions to be numbers', isList(versions, isCount), versions);
  expectThat('features to be texts', isList(features, isText), features);
  expectThat('instanceId to be a text', isText(instanceId) && instanceId !== '', instanceId);
  expectThat('connection to be a number', isCount(connection), connection);
  expectThat('agentVersion to be a text', isText(agentVersion), agentVersion);
  const { ordinary, longRunning } = slots as { ordinary: unknown; longRunning: unknown };
  expectThat('slots to be two numbers', isCount(ordinary) && isCount(longRunning), slots);
}

const EARLY: Readonly<Record<string, (lab: AgentLab, peer: RawPeer) => Frame>> = {
  PING: () => ping(1),
  PONG: () => ({ type: FrameType.Pong, token: 1 }),
  CONFIG: () => configFrame(),
  OPEN: (lab, peer) => lab.open(peer),
};

const early: readonly AgentCase[] = [
  ...Object.entries(EARLY).map(
    ([name, frame]): AgentCase => ({
      rule: '3.3',
      title: `ends the session with PROTOCOL over ${name} before WELCOME`,
      run: async (lab) => {
        const peer = await lab.connection();
        await peer.next(FrameType.Hello);
        peer.send(frame(lab, peer), lab.welcome());
        await peer.expectEndAtOnce(ErrorCode.Protocol);
      },
    }),
  ),
  {
    rule: '3.3',
    title: 'skips a frame of an unknown type with bit 0x80 before WELCOME too',
    run: async (lab) => {
      const peer = await lab.connection();
      await peer.next(FrameType.Hello);
      peer.sendBytes(raw(0x80, 0, 0, 'later'));
      peer.send(lab.welcome());
      await peer.expectAlive();
    },
  },
  {
    rule: '3.3',
    title: 'takes GOAWAY before WELCOME for what it is',
    run: async (lab) => {
      const peer = await lab.connection();
      await peer.next(FrameType.Hello);
      peer.send(goaway(0));
      const { code } = await peer.ended();
      expectThat('the session to end without PROTOCOL', code !== ErrorCode.Protocol);
      await lab.session();
    },
  },
];

const answer: readonly AgentCase[] = [
  {
    rule: '3.5',
    title: 'ends the session with HANDSHAKE_TIMEOUT when WELCOME does not come',
    isSlow: true,
    run: async (lab) => {
      const peer = await lab.connection();
      await peer.next(FrameType.Hello);
      await peer.expectEnd(ErrorCode.HandshakeTimeout, lab.ms(HANDSHAKE_MS) + 2_000);
    },
  },
  {
    rule: '3.8',
    title: 'ends the session with VERSION over a version that it did not offer',
    run: async (lab) => {
      const peer = await lab.connection();
      const { document } = await peer.next(FrameType.Hello);
      const version = Math.max(...(document['versions'] as number[])) + 1;
      peer.send(lab.welcome({ version }));
      await peer.expectEndAtOnce(ErrorCode.Version);
    },
  },
  {
    rule: '3.9',
    title: 'ends the session with PROTOCOL over a second WELCOME',
    run: async (lab) => {
      const { peer } = await lab.session();
      peer.send(lab.welcome());
      await peer.expectEndAtOnce(ErrorCode.Protocol);
    },
  },
];

/** Members of WELCOME as they may not be; undefined takes one out. */
const STRANGE_MEMBERS: Readonly<Record<string, Document>> = {
  'without a version': { version: undefined },
  'whose version is a text': { version: '1' },
  'whose features are no list': { features: 'deflate' },
  'whose session id is a number': { sessionId: 1 },
};

const strangeMembers: readonly AgentCase[] = Object.entries(STRANGE_MEMBERS).map(([what, members]) => ({
  rule: '3.10',
  title: `ends the session with PROTOCOL over a WELCOME ${what}`,
  run: async (lab) => {
    const peer = await lab.connection();
    await peer.next(FrameType.Hello);
    peer.send(lab.welcome(members));
    await peer.expectEndAtOnce(ErrorCode.Protocol);
  },
}));

const successor: readonly AgentCase[] = [
  {
    rule: '3.12',
    title: 'names the session that was lost, and the highest stream id that came',
    run: async (lab) => {
      const { peer } = await lab.session({ sessionId: 'tunnelspec-lost' });
      // The third is refused: it came all the same.
      for (const identity of [undefined, undefined]) peer.send(lab.open(peer, { identity }));
      const gap = { ...lab.open(peer, { identity: undefined }), streamId: 7 };
      peer.send(gap);
      await peer.expectAlive();
      peer.drop();
      expectPrevious(await nextHello(lab), 'tunnelspec-lost', 7);
    },
  },
  {
    rule: '3.12',
    title: 'names a lost session on which no stream came',
    run: async (lab) => {
      const { peer } = await lab.session({ sessionId: 'tunnelspec-idle' });
      peer.drop();
      expectPrevious(await nextHello(lab), 'tunnelspec-idle', 0);
    },
  },
  {
    rule: '3.12',
    title: 'names the lost session again when nobody has greeted it since',
    run: async (lab) => {
      const { peer } = await lab.session({ sessionId: 'tunnelspec-lost' });
      peer.drop();
      const ungreeted = await lab.connection();
      await ungreeted.next(FrameType.Hello);
      ungreeted.drop();
      expectPrevious(await nextHello(lab), 'tunnelspec-lost', 0);
    },
  },
  {
    rule: '3.12',
    title: 'names a session that the gateway gave up as SILENT',
    run: async (lab) => {
      const { peer } = await lab.session({ sessionId: 'tunnelspec-silent' });
      peer.send(goaway(0, { code: ErrorCode.Silent }));
      await peer.ended();
      expectPrevious(await nextHello(lab), 'tunnelspec-silent', 0);
    },
  },
  {
    rule: '3.12',
    title: 'names a session that it gave up as SILENT itself',
    isSlow: true,
    run: async (lab) => {
      const { peer } = await lab.session({ sessionId: 'tunnelspec-silent' });
      peer.answersPings = false;
      // An agent that was stuck itself forgives once.
      await peer.ended(lab.ms(2 * SILENCE_MS) + 1_000);
      expectPrevious(await nextHello(lab), 'tunnelspec-silent', 0);
    },
  },
  {
    rule: '3.12',
    title: 'names no session that ended with a GOAWAY of the gateway',
    run: async (lab) => {
      const { peer } = await lab.session();
      peer.send(goaway(0));
      await peer.ended();
      expectEqual('previous', (await nextHello(lab))['previous'], undefined);
    },
  },
  {
    rule: '3.12',
    title: 'names no session that it ended with a GOAWAY itself',
    run: async (lab) => {
      const { peer } = await lab.session();
      peer.sendBytes(raw(FrameType.Ping, Flag.End, 0, u32(1)));
      await peer.expectEnd(ErrorCode.Protocol);
      expectEqual('previous', (await nextHello(lab))['previous'], undefined);
    },
  },
];

async function nextHello(lab: AgentLab): Promise<Document> {
  const peer = await lab.connection();
  return (await peer.next(FrameType.Hello)).document;
}

function expectPrevious({ previous }: Document, sessionId: string, lastStreamId: number): void {
  const named = previous as { sessionId?: unknown; lastStreamId?: unknown } | undefined;
  expectEqual('previous.sessionId', named?.sessionId, sessionId);
  expectEqual('previous.lastStreamId', named?.lastStreamId, lastStreamId);
}

/** §3. */
export const greetingCases: readonly AgentCase[] = [...hello, ...early, ...answer, ...strangeMembers, ...successor];
