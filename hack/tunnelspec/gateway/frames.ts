import { ErrorCode, Flag, FrameType } from '../../../tunnel/wire/codes.ts';
import type { GatewayCase } from '../case.ts';
import { expectEqual, expectStatus, expectThat } from '../expect.ts';
import type { FrameOf, RawPeer } from '../peer.ts';
import { breaches } from './breach.ts';
import type { GatewayLab } from './lab.ts';
import { bytesOf, data, emptyAnswer, goaway, head, health, raw, u32 } from './words.ts';

const KIB = 1024;
const OK = [0, 200];
const NO_LINES = [0, 0];
const LAST = { isEnd: true };
const WELCOME = { version: 1, features: [], sessionId: 's', replicaId: 'r', gatewayVersion: 'v' };
const NOT_UTF8 = Buffer.from([0x68, 0xff, 0x69]);
/** Bytes of an object around the one text that fills it. */
const FILLER_BYTES = JSON.stringify({ filler: '' }).length;

const tooLong = breaches('2.2', ErrorCode.FrameSize, {
  'DATA of 64 KiB and a byte': (id) => raw(FrameType.Data, 0, id, Buffer.alloc(64 * KIB + 1)),
  'HEAD of 80 KiB and a byte': (id) => raw(FrameType.Head, 0, id, Buffer.from([...OK, ...lines(80 * KIB - 1)])),
  'TRAILERS of 80 KiB and a byte': (id) => raw(FrameType.Trailers, 0, id, lines(80 * KIB + 1)),
  'RESET of 4 KiB and a byte': (id) => raw(FrameType.Reset, 0, id, reason(4 * KIB + 1)),
  'REFUSED of 4 KiB and a byte': (id) => raw(FrameType.Refused, 0, id, reason(4 * KIB + 1)),
  'HEALTH of 4 KiB and a byte': () => raw(FrameType.Health, 0, 0, objectOf(4 * KIB + 1)),
});

const withFlags = breaches('2.5', ErrorCode.Protocol, {
  'DATA with LONG_RUNNING': (id) => raw(FrameType.Data, Flag.LongRunning, id),
  'DATA with bit 0x80': (id) => raw(FrameType.Data, 0x80, id),
  'HEAD with UPGRADE': (id) => raw(FrameType.Head, Flag.Upgrade, id, Buffer.from([...OK, ...NO_LINES])),
  'TRAILERS with END': (id) => raw(FrameType.Trailers, Flag.End, id, Buffer.from(NO_LINES)),
  'RESET with END': (id) => raw(FrameType.Reset, Flag.End, id, u32(ErrorCode.Cancel)),
  'REFUSED with END': (id) => raw(FrameType.Refused, Flag.End, id, u32(ErrorCode.Overload)),
  'WINDOW with END': (id) => raw(FrameType.Window, Flag.End, id, u32(16 * KIB)),
  'SLOTS with END': () => raw(FrameType.Slots, Flag.End, 0, u32(1, 1)),
  'PING with END': () => raw(FrameType.Ping, Flag.End, 0, u32(1)),
  'PONG with END': () => raw(FrameType.Pong, Flag.End, 0, u32(1)),
  'HEALTH with END': () => raw(FrameType.Health, Flag.End, 0, '{}'),
});

const ofOtherStreams = breaches('2.6', ErrorCode.Protocol, {
  'PING of a stream': (id) => raw(FrameType.Ping, 0, id, u32(1)),
  'PONG of a stream': (id) => raw(FrameType.Pong, 0, id, u32(1)),
  'SLOTS of a stream': (id) => raw(FrameType.Slots, 0, id, u32(1, 1)),
  'HEALTH of a stream': (id) => raw(FrameType.Health, 0, id, '{}'),
  'DATA of stream 0': () => raw(FrameType.Data, 0, 0, 'body'),
  'TRAILERS of stream 0': () => raw(FrameType.Trailers, 0, 0, Buffer.from(NO_LINES)),
  'HEAD of stream 0': () => raw(FrameType.Head, 0, 0, Buffer.from([...OK, ...NO_LINES])),
  'RESET of stream 0': () => raw(FrameType.Reset, 0, 0, u32(ErrorCode.Cancel)),
  'REFUSED of stream 0': () => raw(FrameType.Refused, 0, 0, u32(ErrorCode.Overload)),
  'WINDOW of stream 0': () => raw(FrameType.Window, 0, 0, u32(16 * KIB)),
  'RESET of a stream beyond 2^31-1': () => raw(FrameType.Reset, 0, 2 ** 31, u32(ErrorCode.Cancel)),
});

const notAllowed = breaches('2.13', ErrorCode.Protocol, {
  'HEAD with status 99': (id) => raw(FrameType.Head, 0, id, Buffer.from([0, 99, ...NO_LINES])),
  'HEAD with status 600': (id) => raw(FrameType.Head, 0, id, Buffer.from([2, 88, ...NO_LINES])),
  'HEAD with 201 lines': (id) => raw(FrameType.Head, 0, id, Buffer.from([...OK, 0, 201, ...emptyLines(201)])),
  'TRAILERS with 201 lines': (id) => raw(FrameType.Trailers, 0, id, Buffer.from([0, 201, ...emptyLines(201)])),
});

const ofWrongLength = breaches('2.7', ErrorCode.Protocol, {
  'PING of 3 bytes': () => raw(FrameType.Ping, 0, 0, Buffer.alloc(3)),
  'PONG without a token': () => raw(FrameType.Pong, 0, 0),
  'SLOTS of one pool': () => raw(FrameType.Slots, 0, 0, u32(1)),
  'WINDOW of 2 bytes': (id) => raw(FrameType.Window, 0, id, Buffer.from([64, 0])),
  'RESET without a code': (id) => raw(FrameType.Reset, 0, id, Buffer.alloc(3)),
  'REFUSED without a code': (id) => raw(FrameType.Refused, 0, id, Buffer.alloc(2)),
  'HEAD without headers': (id) => raw(FrameType.Head, 0, id, Buffer.from(OK)),
  'HEAD that ends in a header': (id) => raw(FrameType.Head, 0, id, Buffer.from([...OK, 0, 1, 0, 4, 0x6e])),
  'HEAD with a byte left over': (id) => raw(FrameType.Head, 0, id, Buffer.from([...OK, ...NO_LINES, 0])),
  'TRAILERS without a list': (id) => raw(FrameType.Trailers, 0, id),
});

/** §2. */
export const frameCases: readonly GatewayCase[] = [
  ...breaches('2.1', ErrorCode.Protocol, {
    'a message that ends in a frame header': () => Buffer.concat([raw(FrameType.Ping, 0, 0, u32(1)), Buffer.alloc(8)]),
    'a message that ends in a payload': () => raw(FrameType.Ping, 0, 0, u32(1)).subarray(0, 11),
  }),
  ...tooLong,
  {
    rule: '2.2',
    title: 'takes HEALTH of 4 KiB',
    run: async (lab) => {
      const peer = await lab.agent();
      peer.sendBytes(raw(FrameType.Health, 0, 0, objectOf(4 * KIB)));
      await peer.expectAlive();
    },
  },
  {
    rule: '2.3',
    title: 'skips frames of unknown types with bit 0x80, and takes what stands between them',
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer);
      peer.sendBytes(
        Buffer.concat([
          raw(0x80, 0, 0),
          bytesOf(head(open.streamId)),
          raw(0xff, 0xff, 2 ** 32 - 1, Buffer.alloc(90 * KIB)),
          bytesOf(data(open.streamId, 'body', { isEnd: true })),
          raw(0x8e, 1, 1, '{'),
        ]),
      );
      const answer = await call.answer();
      expectStatus(answer, 200);
      expectEqual('the body', answer.body.toString('latin1'), 'body');
      await peer.expectAlive();
    },
  },
  {
    rule: '2.3',
    title: 'skips frames of unknown types with bit 0x80 before HELLO too',
    run: async (lab) => {
      const peer = await lab.connect();
      peer.sendBytes(Buffer.concat([raw(0x80, 0, 0, 'later'), bytesOf(lab.hello())]));
      await peer.next(FrameType.Welcome);
    },
  },
  ...breaches('2.4', ErrorCode.Protocol, {
    'a frame of type 0x0f': () => raw(0x0f, 0, 0),
    'a frame of type 0x7f': (id) => raw(0x7f, 0, id, 'later'),
  }),
  ...withFlags,
  ...ofOtherStreams,
  ...ofWrongLength,
  ...breaches('2.8', ErrorCode.Protocol, {
    'RESET whose text is not UTF-8': (id) => raw(FrameType.Reset, 0, id, Buffer.from([...u32(5), ...NOT_UTF8])),
    'REFUSED whose text is not UTF-8': (id) => raw(FrameType.Refused, 0, id, Buffer.from([...u32(8), ...NOT_UTF8])),
    'HEALTH whose text is not UTF-8': () =>
      raw(FrameType.Health, 0, 0, Buffer.concat([Buffer.from('{"message":"'), NOT_UTF8, Buffer.from('"}')])),
  }),
  ...breaches('2.9', ErrorCode.Protocol, {
    'HEALTH that is a list': () => raw(FrameType.Health, 0, 0, '[]'),
    'HEALTH that is null': () => raw(FrameType.Health, 0, 0, 'null'),
    'HEALTH that is a text': () => raw(FrameType.Health, 0, 0, '"healthy"'),
    'HEALTH that is no JSON': () => raw(FrameType.Health, 0, 0, '{'),
    'HEALTH without a byte': () => raw(FrameType.Health, 0, 0),
  }),
  {
    rule: '2.9',
    title: 'ignores unknown members of HELLO, HEALTH and GOAWAY',
    run: async (lab) => {
      const later = { later: [{ than: 'version 1' }] };
      const peer = await lab.agent(later);
      const { call, open } = await lab.opened(peer);
      peer.send(health(later), goaway(open.streamId, later));
      await peer.expectAlive();
      peer.send(emptyAnswer(open.streamId));
      expectStatus(await call.answer(), 200);
    },
  },
  ...breaches('2.10', ErrorCode.Protocol, {
    'OPEN from an agent': (id) => bytesOf(openOf(id + 1)),
    'WELCOME from an agent': () => bytesOf({ type: FrameType.Welcome, document: WELCOME }),
    'CONFIG from an agent': () => bytesOf({ type: FrameType.Config, document: { tunnelUid: '', generation: 1 } }),
  }),
  {
    rule: '2.12',
    title: 'hands nothing on that follows in the message that ended the session',
    run: (lab) =>
      afterTheEnd(lab, (peer, streamId) => {
        peer.sendBytes(Buffer.concat([raw(0x0f, 0, 0), bytesOf(head(streamId), data(streamId, 'body', LAST))]));
      }),
  },
  {
    rule: '2.12',
    title: 'hands nothing on that follows in later messages',
    run: (lab) =>
      afterTheEnd(lab, (peer, streamId) => {
        peer.sendBytes(raw(0x0f, 0, 0));
        peer.send(head(streamId));
        peer.send(data(streamId, 'body', LAST));
      }),
  },
  ...notAllowed,
];

/** The client must not see the answer that came behind a broken frame. */
async function afterTheEnd(lab: GatewayLab, say: (peer: RawPeer, streamId: number) => void): Promise<void> {
  const peer = await lab.agent();
  const { call, open } = await lab.opened(peer);
  say(peer, open.streamId);
  await peer.expectEndAtOnce(ErrorCode.Protocol);
  const { status } = await call.answer();
  expectThat('an error instead of the answer that came too late', status >= 500, status);
}

function openOf(streamId: number): FrameOf<typeof FrameType.Open> {
  const head = { method: 'GET', path: '/', headers: [], identity: undefined, traceId: '' };
  return {
    type: FrameType.Open,
    streamId,
    isEnd: true,
    head: { ...head, deadlineMs: 0, isLongRunning: false, isUpgrade: false },
  };
}

/** Two header lines of so many bytes in all. */
/** So many header lines without name and value. */
function emptyLines(count: number): Buffer {
  return Buffer.alloc(count * 4);
}

function lines(bytes: number): Buffer {
  const first = line('x', 60 * KIB);
  return Buffer.concat([Buffer.from([0, 2]), first, line('y', bytes - 2 - first.length - 5)]);
}

function line(name: string, valueBytes: number): Buffer {
  return Buffer.from([0, 1, name.charCodeAt(0), valueBytes >> 8, valueBytes & 0xff, ...Buffer.alloc(valueBytes, 'v')]);
}

/** A code and a text, so many bytes in all. */
function reason(bytes: number): Buffer {
  return Buffer.concat([u32(ErrorCode.Cancel), Buffer.alloc(bytes - 4, 'x')]);
}

/** JSON of so many bytes. */
function objectOf(bytes: number): string {
  return JSON.stringify({ filler: 'x'.repeat(bytes - FILLER_BYTES) });
}
