import { randomUUID } from 'node:crypto';
import { ErrorCode, FrameType } from '../../../tunnel/wire/codes.ts';
import type { Frame } from '../../../tunnel/wire/frame.ts';
import type { GatewayCase } from '../case.ts';
import { expectEqual, expectThat } from '../expect.ts';
import { goaway, health, ping, pong, slots } from './words.ts';

const HANDSHAKE_MS = 5_000;
const TOO_LONG = 'x'.repeat(257);

/** Each by itself in a HELLO that is in order otherwise. undefined: the member is missing. */
const WRONG_MEMBERS: readonly Readonly<Record<string, unknown>>[] = [
  { agentVersion: undefined },
  { agentVersion: 7 },
  { agentVersion: TOO_LONG },
  { instanceId: undefined },
  { instanceId: null },
  { instanceId: TOO_LONG },
  { features: undefined },
  { features: 'deflate' },
  { features: [1] },
  { versions: undefined },
  { versions: 1 },
  { versions: ['1'] },
  { connection: '0' },
  { connection: -1 },
  { slots: undefined },
  { slots: [] },
  { slots: { ordinary: 1 } },
  { slots: { ordinary: 1, longRunning: '1' } },
  { slots: { ordinary: 1.5, longRunning: 1 } },
  { slots: { ordinary: -1, longRunning: 1 } },
  { previous: 'session' },
  { previous: { sessionId: 'session' } },
  { previous: { lastStreamId: 1 } },
];

/** §3, but for what happens between two sessions. */
export const greetingCases: readonly GatewayCase[] = [
  ...beforeHello({ PING: ping(1), PONG: pong(1), HEALTH: health(), SLOTS: slots(1) }),
  {
    rule: '3.2',
    title: 'takes GOAWAY before HELLO without a complaint',
    run: async (lab) => {
      const peer = await lab.connect();
      peer.send(goaway(0));
      const { code = ErrorCode.None } = await peer.ended();
      expectThat('no PROTOCOL', code !== ErrorCode.Protocol);
    },
  },
  {
    rule: '3.4',
    title: 'ends the session with HANDSHAKE_TIMEOUT without a HELLO within 5 s',
    isSlow: true,
    run: async (lab) => {
      const peer = await lab.connect();
      await peer.expectEnd(ErrorCode.HandshakeTimeout, lab.ms(HANDSHAKE_MS) + 3_000);
      expectEqual('the number of frames before GOAWAY', peer.heard.length - 1, 0);
    },
  },
  {
    rule: '3.4',
    title: 'ends the session with HANDSHAKE_TIMEOUT though WebSocket itself is alive',
    isSlow: true,
    run: async (lab) => {
      const peer = await lab.connect();
      const beat = setInterval(() => peer.socket.ping(), lab.ms(1_000));
      try {
        await peer.expectEnd(ErrorCode.HandshakeTimeout, lab.ms(HANDSHAKE_MS) + 3_000);
      } finally {
        clearInterval(beat);
      }
    },
  },
  ...chooses({ versions: [1, 99] }, { versions: [99, 1] }, { features: [] }, { features: ['deflate'] }),
  ...withoutCommonVersion({ 'a newer version only': [2], 'no version at all': [] }),
  {
    rule: '3.9',
    title: 'ends the session with PROTOCOL over a second HELLO',
    run: async (lab) => {
      const peer = await lab.agent();
      peer.send(lab.hello());
      await peer.expectEndAtOnce(ErrorCode.Protocol);
    },
  },
  ...WRONG_MEMBERS.map(
    (member): GatewayCase => ({
      rule: '3.10',
      title: `ends the session with PROTOCOL over a HELLO with ${told(member)}`,
      run: async (lab) => {
        const peer = await lab.connect();
        peer.send(lab.hello(member));
        await peer.expectEndAtOnce(ErrorCode.Protocol);
      },
    }),
  ),
  {
    rule: '3.10',
    title: 'takes a HELLO whose texts have 256 characters',
    run: async (lab) => {
      const longest = randomUUID().padEnd(256, '-');
      const peer = await lab.agent({ instanceId: longest, agentVersion: longest });
      await peer.expectAlive();
    },
  },
];

function beforeHello(frames: Readonly<Record<string, Frame>>): GatewayCase[] {
  return Object.entries(frames).map(([name, frame]) => ({
    rule: '3.2',
    title: `ends the session with PROTOCOL over ${name} before HELLO`,
    run: async (lab) => {
      const peer = await lab.connect();
      peer.send(frame);
      await peer.expectEnd(ErrorCode.Protocol);
    },
  }));
}

/** What WELCOME may say to each of these offers, of a gateway that speaks version 1. */
function chooses(...offers: readonly Readonly<Record<string, readonly unknown[]>>[]): GatewayCase[] {
  return offers.map((offer) => ({
    rule: '3.6',
    title: `chooses from what HELLO offers with ${told(offer)}`,
    run: async (lab) => {
      const peer = await lab.connect();
      peer.send(lab.hello(offer));
      const { document } = await peer.next(FrameType.Welcome);
      expectEqual('the version', document['version'], 1);
      const offered = offer['features'] ?? [];
      const { features } = document;
      expectThat('a list of features', Array.isArray(features), features);
      const others = (features as unknown[]).filter((each) => !offered.includes(each));
      expectThat('only features of HELLO', others.length === 0, others);
    },
  }));
}

function withoutCommonVersion(offers: Readonly<Record<string, readonly number[]>>): GatewayCase[] {
  return Object.entries(offers).map(([what, versions]) => ({
    rule: '3.7',
    title: `ends the session with VERSION over a HELLO with ${what}`,
    run: async (lab) => {
      const peer = await lab.connect();
      peer.send(lab.hello({ versions }));
      await peer.expectEndAtOnce(ErrorCode.Version);
    },
  }));
}

function told(member: Readonly<Record<string, unknown>>): string {
  const [[name, value] = ['nothing', undefined]] = Object.entries(member);
  if (value === undefined) return `no ${name}`;
  const text = JSON.stringify(value);
  return `${name} ${text.length > 60 ? `of ${text.length - 2} characters` : text}`;
}
