import { ErrorCode, Flag, FrameType } from '../../../tunnel/wire/codes.ts';
import { encodeRequestHead, type RequestHead } from '../../../tunnel/wire/head.ts';
import type { AgentCase } from '../case.ts';
import { expectEqual } from '../expect.ts';
import { bytesOf, goaway, ping, raw, u32 } from '../gateway/words.ts';
import { breaches } from './breach.ts';
import { freeSlots, GET } from './lab.ts';
import { configFrame, USUAL_WORKERS } from './settings.ts';

const KIB = 1024;
const BEYOND_31_BITS = 2 ** 31;
const NOT_UTF8 = Buffer.from([0x68, 0xff, 0x69]);
/** A header list of none. */
const NO_FIELDS = Buffer.from([0, 0]);
/** One field, `trailer: value`. */
const FIELDS = Buffer.from('\0\x01\0\x07trailer\0\x05value', 'latin1');

/** OPEN's payload. */
function openPayload(change: Partial<RequestHead> = {}): Buffer {
  return Buffer.from(encodeRequestHead({ ...GET, ...change }));
}

/** OPEN's payload with header lines that fill it up to so many bytes. */
function openOf(bytes: number): Buffer {
  const first = ['x', 'a'.repeat(40 * KIB), 'y'];
  const least = openPayload({ headers: [...first, ''] });
  return openPayload({ headers: [...first, 'b'.repeat(bytes - least.length)] });
}

/** A list of two fields of so many bytes. */
function fieldsOf(bytes: number): Buffer {
  const field = (value: Buffer) => Buffer.concat([Buffer.from([0, 1, 0x78]), u32(value.length).subarray(2), value]);
  const first = field(Buffer.alloc(40 * KIB, 'a'));
  const rest = field(Buffer.alloc(bytes - NO_FIELDS.length - first.length - 5, 'b'));
  return Buffer.concat([Buffer.from([0, 2]), first, rest]);
}

/** A JSON object of so many bytes. */
function objectOf(bytes: number): string {
  return JSON.stringify({ filler: 'x'.repeat(bytes - '{"filler":""}'.length) });
}

/** A code and a text, of so many bytes. */
function reasonOf(bytes: number): Buffer {
  return Buffer.concat([u32(ErrorCode.Cancel), Buffer.alloc(bytes - 4, 'x')]);
}

/** JSON with a member whose text is none. */
function jsonOf(document: object): Buffer {
  const [before = '', after = ''] = JSON.stringify({ ...document, strange: '@' }).split('@');
  return Buffer.concat([Buffer.from(before), NOT_UTF8, Buffer.from(after)]);
}

const { document: CONFIG } = configFrame();
const GOAWAY = { lastStreamId: 1, code: ErrorCode.Draining, reason: '' };

const truncated = breaches('2.1', ErrorCode.Protocol, {
  'a message that ends in a frame header': () => Buffer.concat([raw(FrameType.Ping, 0, 0, u32(1)), Buffer.alloc(8)]),
  'a message that ends in a payload': () => raw(FrameType.Ping, 0, 0, u32(1)).subarray(0, 11),
});

const tooLong = breaches('2.2', ErrorCode.FrameSize, {
  'DATA of 64 KiB and a byte': (id) => raw(FrameType.Data, 0, id, Buffer.alloc(64 * KIB + 1)),
  'TRAILERS of 80 KiB and a byte': (id) => raw(FrameType.Trailers, 0, id, fieldsOf(80 * KIB + 1)),
  'OPEN of 80 KiB and a byte': (id) => raw(FrameType.Open, Flag.End, id + 1, openOf(80 * KIB + 1)),
  'RESET of 4 KiB and a byte': (id) => raw(FrameType.Reset, 0, id, reasonOf(4 * KIB + 1)),
  'CONFIG of 4 KiB and a byte': () => raw(FrameType.Config, 0, 0, objectOf(4 * KIB + 1)),
});

const unknownTypes = breaches('2.4', ErrorCode.Protocol, {
  'a frame of type 0x0f': () => raw(0x0f, 0, 0),
  'a frame of type 0x7f': (id) => raw(0x7f, 0, id, 'later'),
});

const strangeFlags = breaches('2.5', ErrorCode.Protocol, {
  'DATA with LONG_RUNNING': (id) => raw(FrameType.Data, Flag.LongRunning, id, 'body'),
  'DATA with DEFLATED': (id) => raw(FrameType.Data, 0x08, id, 'body'),
  'DATA with bit 0x80': (id) => raw(FrameType.Data, 0x80, id, 'body'),
  'TRAILERS with END': (id) => raw(FrameType.Trailers, Flag.End, id, NO_FIELDS),
  'OPEN with DEFLATED': (id) => raw(FrameType.Open, Flag.End | 0x08, id + 1, openPayload()),
  'RESET with END': (id) => raw(FrameType.Reset, Flag.End, id, u32(ErrorCode.Cancel)),
  'WINDOW with END': (id) => raw(FrameType.Window, Flag.End, id, u32(16 * KIB)),
  'PING with END': () => raw(FrameType.Ping, Flag.End, 0, u32(1)),
  'PONG with END': () => raw(FrameType.Pong, Flag.End, 0, u32(1)),
  'CONFIG with END': () => raw(FrameType.Config, Flag.End, 0, JSON.stringify(CONFIG)),
  'GOAWAY with END': () => raw(FrameType.Goaway, Flag.End, 0, JSON.stringify(GOAWAY)),
});

const strangeStreams = breaches('2.6', ErrorCode.Protocol, {
  'PING of a stream': (id) => raw(FrameType.Ping, 0, id, u32(1)),
  'PONG of a stream': (id) => raw(FrameType.Pong, 0, id, u32(1)),
  'CONFIG of a stream': (id) => raw(FrameType.Config, 0, id, JSON.stringify(CONFIG)),
  'GOAWAY of a stream': (id) => raw(FrameType.Goaway, 0, id, JSON.stringify(GOAWAY)),
  'DATA of stream 0': () => raw(FrameType.Data, 0, 0, 'body'),
  'TRAILERS of stream 0': () => raw(FrameType.Trailers, 0, 0, NO_FIELDS),
  'OPEN of stream 0': () => raw(FrameType.Open, Flag.End, 0, openPayload()),
  'RESET of stream 0': () => raw(FrameType.Reset, 0, 0, u32(ErrorCode.Cancel)),
  'WINDOW of stream 0': () => raw(FrameType.Window, 0, 0, u32(16 * KIB)),
  'OPEN of a stream beyond 2^31-1': () => raw(FrameType.Open, Flag.End, BEYOND_31_BITS, openPayload()),
});

const wrongLengths = breaches('2.7', ErrorCode.Protocol, {
  'PING of 3 bytes': () => raw(FrameType.Ping, 0, 0, Buffer.alloc(3)),
  'PONG without a token': () => raw(FrameType.Pong, 0, 0),
  'WINDOW of 2 bytes': (id) => raw(FrameType.Window, 0, id, Buffer.from([64, 0])),
  'RESET without a code': (id) => raw(FrameType.Reset, 0, id, Buffer.alloc(3)),
  'OPEN that ends in its path': (id) => raw(FrameType.Open, Flag.End, id + 1, openPayload().subarray(0, 30)),
  'OPEN with a byte left over': (id) =>
    raw(FrameType.Open, Flag.End, id + 1, Buffer.concat([openPayload(), Buffer.alloc(1)])),
  'TRAILERS that end in a value': (id) => raw(FrameType.Trailers, 0, id, FIELDS.subarray(0, -1)),
  'TRAILERS with a byte left over': (id) => raw(FrameType.Trailers, 0, id, Buffer.concat([FIELDS, Buffer.alloc(1)])),
});

const notText = breaches('2.8', ErrorCode.Protocol, {
  'RESET whose text is not UTF-8': (id) =>
    raw(FrameType.Reset, 0, id, Buffer.concat([u32(ErrorCode.Cancel), NOT_UTF8])),
  'OPEN whose user is not UTF-8': (id) => raw(FrameType.Open, Flag.End, id + 1, withStrangeUser()),
  'CONFIG whose text is not UTF-8': () => raw(FrameType.Config, 0, 0, jsonOf(CONFIG)),
  'GOAWAY whose text is not UTF-8': () => raw(FrameType.Goaway, 0, 0, jsonOf(GOAWAY)),
});

/** OPEN's payload for a user whose name has as many bytes as another, and is no text. */
function withStrangeUser(): Buffer {
  const payload = openPayload({ identity: { user: 'h@i', uid: '', groups: [] } });
  payload[payload.indexOf('h@i') + 1] = 0xff;
  return payload;
}

const notObjects = breaches('2.9', ErrorCode.Protocol, {
  'CONFIG that is a list': () => raw(FrameType.Config, 0, 0, '[]'),
  'CONFIG that is null': () => raw(FrameType.Config, 0, 0, 'null'),
  'CONFIG that is a text': () => raw(FrameType.Config, 0, 0, '"limits"'),
  'CONFIG that is no JSON': () => raw(FrameType.Config, 0, 0, '{'),
  'CONFIG without a byte': () => raw(FrameType.Config, 0, 0),
  'GOAWAY that is a list': () => raw(FrameType.Goaway, 0, 0, '[]'),
});

const wrongEnd = breaches('2.11', ErrorCode.Protocol, {
  'HEAD from a gateway': (id) => raw(FrameType.Head, 0, id, Buffer.concat([Buffer.from([0, 200]), NO_FIELDS])),
  'REFUSED from a gateway': (id) => raw(FrameType.Refused, 0, id, u32(ErrorCode.Overload)),
  'SLOTS from a gateway': () => raw(FrameType.Slots, 0, 0, u32(1, 1)),
  'HEALTH from a gateway': () => raw(FrameType.Health, 0, 0, '{}'),
  'HELLO from a gateway': () => raw(FrameType.Hello, 0, 0, '{"versions":[1],"features":[]}'),
});

const taken: readonly AgentCase[] = [
  {
    rule: '2.2',
    title: 'takes payloads as long as their types allow',
    run: async (lab) => {
      const { peer } = await lab.session();
      const open = lab.open(peer, { method: 'POST' }, false);
      peer.send(open);
      peer.sendBytes(raw(FrameType.Open, Flag.End, open.streamId + 1, openOf(80 * KIB)));
      peer.sendBytes(raw(FrameType.Trailers, 0, open.streamId, fieldsOf(80 * KIB)));
      peer.sendBytes(raw(FrameType.Reset, 0, open.streamId, reasonOf(4 * KIB)));
      peer.sendBytes(raw(FrameType.Config, 0, 0, objectOf(4 * KIB)));
      await peer.expectAlive();
    },
  },
  {
    rule: '2.3',
    title: 'skips frames of unknown types with bit 0x80, and takes what stands between them',
    run: async (lab) => {
      const { peer } = await lab.session();
      const strange = [
        raw(0x80, 0, 0),
        raw(0xff, 0xff, 2 ** 32 - 1, Buffer.alloc(60 * KIB)),
        raw(0x8e, 1, 7, '{'),
      ] as const;
      const [first, second, third] = strange;
      peer.sendBytes(Buffer.concat([first, bytesOf(ping(11)), second, bytesOf(ping(12)), third, bytesOf(ping(13))]));
      for (const asked of [11, 12, 13]) await peer.next(FrameType.Pong, ({ token }) => token === asked);
      await peer.expectAlive();
    },
  },
  {
    rule: '2.9',
    title: 'ignores unknown members of WELCOME, CONFIG and GOAWAY',
    run: async (lab) => {
      const { peer, hello } = await lab.session({ moon: 'full', versions: [] });
      const { ordinary } = freeSlots(hello);
      const { document } = configFrame({ limits: { maxConcurrentRequests: ordinary + 3 } });
      peer.send({ type: FrameType.Config, document: { ...document, moon: { phase: 1 }, limit: null } });
      const { slots } = await peer.next(FrameType.Slots);
      expectEqual('the slots that its limits add', slots.ordinary, 3);
      const open = lab.open(peer, { method: 'POST' }, false);
      peer.send(open, goaway(open.streamId, { moon: 'new' }));
      await peer.expectAlive();
    },
  },
];

/** Ends the session. */
const LAST_FRAMES = {
  'a frame that breaks a rule': raw(0x0f, 0, 0),
  'the GOAWAY that ended the session': bytesOf(goaway(0)),
};

/** Behind it: a PING, and limits that would show in the next HELLO. */
const ignored: readonly AgentCase[] = Object.entries(LAST_FRAMES).flatMap(([what, last]) =>
  ['in its message', 'in the next message'].map(
    (where): AgentCase => ({
      rule: '2.12',
      title: `ignores what follows ${what}, ${where}`,
      run: async (lab) => {
        const { peer } = await lab.session();
        const rest = bytesOf(ping(41), configFrame({ limits: { maxConcurrentRequests: 2 * USUAL_WORKERS } }));
        const messages = where === 'in its message' ? [Buffer.concat([last, rest])] : [last, rest];
        for (const message of messages) peer.sendBytes(message);
        await peer.ended();
        const pongs = peer.all(FrameType.Pong).filter(({ token }) => token === 41);
        expectEqual('the answers to the late PING', pongs.length, 0);
        const next = await lab.connection();
        expectEqual('the slots', freeSlots(await next.next(FrameType.Hello)).ordinary, USUAL_WORKERS);
      },
    }),
  ),
);

/** §2. */
export const frameCases: readonly AgentCase[] = [
  ...truncated,
  ...tooLong,
  ...unknownTypes,
  ...strangeFlags,
  ...strangeStreams,
  ...wrongLengths,
  ...notText,
  ...notObjects,
  ...wrongEnd,
  ...taken,
  ...ignored,
];
