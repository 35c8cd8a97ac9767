import { ErrorCode, Flag, FrameType } from '../../../tunnel/wire/codes.ts';
import type { AgentCase } from '../case.ts';
import { raw, u32 } from '../gateway/words.ts';
import { breaches } from './breach.ts';
import { fieldsOf, NO_FIELDS, objectOf, openOf, openPayload, reasonOf, replaced } from './payloads.ts';
import { configFrame } from './settings.ts';

const KIB = 1024;
const BEYOND_31_BITS = 2 ** 31;
const NOT_UTF8 = Buffer.from([0x68, 0xff, 0x69]);
/** One field, `trailer: value`. */
const FIELDS = Buffer.from('\0\x01\0\x07trailer\0\x05value', 'latin1');

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

/** OPEN's payload with its first byte, the length of the method, and what follows as they are not allowed. */
const notAllowed = breaches('2.13', ErrorCode.Protocol, {
  'OPEN without a method': (id) => raw(FrameType.Open, Flag.End, id + 1, replaced(openPayload(), '\x03GET', '\0')),
  'OPEN with a path that does not begin with /': (id) =>
    raw(FrameType.Open, Flag.End, id + 1, replaced(openPayload({ path: '/pods' }), '/pods', '*pods')),
  'OPEN with 201 header lines': (id) =>
    raw(
      FrameType.Open,
      Flag.End,
      id + 1,
      Buffer.concat([openPayload({ headers: [] }).subarray(0, -2), Buffer.from([0, 201]), Buffer.alloc(804)]),
    ),
  'TRAILERS with 201 lines': (id) =>
    raw(FrameType.Trailers, 0, id, Buffer.concat([Buffer.from([0, 201]), Buffer.alloc(804)])),
});

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

/** §2: what ends the session. */
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
  ...notAllowed,
];
