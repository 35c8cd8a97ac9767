import { block, Code, data, Flag, frame, headers, PREFACE, settings, Type, u32 } from '../../support/raw-http2.ts';
import { answered, ended, GET, ignored, POST, type Rule, reset } from './rule.ts';

const { Protocol, FrameSize, FlowControl, StreamClosed } = Code;
const bytes = (length: number) => Buffer.alloc(length);
const open = headers(1, POST, { isEnd: false });

/** RFC 9113 §3.4 and §4: how a connection begins, and what a frame is. */
export const BEGINNINGS: readonly Rule[] = [
  {
    what: '§3.4: a preface of something else',
    first: Buffer.from('PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n'),
    say: [],
    verdict: ended(Protocol),
  },
  {
    what: '§3.4: HTTP/1.1 where h2 was chosen',
    first: Buffer.from('GET /clusters HTTP/1.1\r\nHost: g\r\n\r\n'),
    say: [],
    verdict: ended(Protocol),
  },
  {
    what: '§3.4: no SETTINGS first',
    first: PREFACE,
    say: [frame(Type.Ping, 0, 0, bytes(8))],
    verdict: ended(Protocol),
  },
  { what: '§3.4: HEADERS first', first: PREFACE, say: [headers(1, GET)], verdict: ended(Protocol) },
  {
    what: '§4.1: an unknown type is ignored',
    say: [frame(0xee, 0xff, 0, bytes(8)), frame(0xee, 0xff, 7, bytes(8))],
    verdict: ignored,
  },
  { what: '§4.1: flags without a meaning are ignored', say: [frame(Type.Ping, 0xfe, 0, bytes(8))], verdict: ignored },
  { what: '§4.1: the reserved bit is ignored', say: [frame(Type.Ping, 0, 0x80000000, bytes(8))], verdict: ignored },
  {
    what: '§4.2: DATA above SETTINGS_MAX_FRAME_SIZE',
    say: [open, data(1, bytes(16_385))],
    verdict: reset(1, FrameSize),
    arriving: 1,
  },
  {
    what: '§4.2: HEADERS above SETTINGS_MAX_FRAME_SIZE',
    say: [frame(Type.Headers, 5, 1, bytes(16_385))],
    verdict: ended(FrameSize),
  },
  {
    what: '§4.2: a length of 16 MiB that never comes',
    say: [frame(Type.Data, 0, 1, bytes(0), 0xffffff)],
    verdict: ended(FrameSize, Protocol),
  },
  {
    what: '§5.5: an unknown type between HEADERS and CONTINUATION',
    say: [frame(Type.Headers, 1, 1, block(GET)), frame(0xee, 0, 0, bytes(8))],
    verdict: ended(Protocol),
  },
];

/** RFC 9113 §6: frame by frame. */
export const FRAMES: readonly Rule[] = [
  { what: '§6.1: DATA on stream 0', say: [data(0, 'x')], verdict: ended(Protocol) },
  {
    what: '§6.1: more padding than payload',
    say: [open, frame(Type.Data, Flag.Padded, 1, Buffer.from([5, 1, 2]))],
    verdict: ended(Protocol),
    arriving: 1,
  },
  {
    what: '§6.1: padding where nothing is',
    say: [open, frame(Type.Data, Flag.Padded, 1)],
    verdict: ended(FrameSize, Protocol),
    arriving: 1,
  },
  {
    what: '§6.1: nothing but padding is a body of nothing',
    say: [open, frame(Type.Data, Flag.Padded | Flag.EndStream, 1, Buffer.from([3, 0, 0, 0]))],
    verdict: answered(200),
    arriving: 1,
  },
  { what: '§6.2: HEADERS on stream 0', say: [headers(0, GET)], verdict: ended(Protocol) },
  {
    what: '§6.2: more padding than payload',
    say: [frame(Type.Headers, Flag.Padded | 5, 1, Buffer.concat([Buffer.from([255]), block(GET)]))],
    verdict: ended(Protocol),
  },
  {
    what: '§6.2: a priority field that is cut short',
    say: [frame(Type.Headers, Flag.Priority | 5, 1, bytes(3))],
    verdict: ended(FrameSize, Protocol),
  },
  {
    what: '§6.2: HEADERS of another stream within a block',
    say: [frame(Type.Headers, 1, 1, block(GET)), headers(3, GET)],
    verdict: ended(Protocol),
  },
  {
    what: '§6.2: DATA within a block',
    say: [frame(Type.Headers, 0, 1, block(POST)), data(1, 'x')],
    verdict: ended(Protocol),
  },
  {
    what: '§6.2: PRIORITY within a block',
    say: [frame(Type.Headers, 1, 1, block(GET)), frame(Type.Priority, 0, 1, bytes(5))],
    verdict: ended(Protocol),
  },
  { what: '§6.3: PRIORITY on stream 0', say: [frame(Type.Priority, 0, 0, bytes(5))], verdict: ended(Protocol) },
  {
    what: '§6.3: PRIORITY of another length',
    say: [frame(Type.Priority, 0, 1, bytes(4))],
    verdict: reset(1, FrameSize),
  },
  {
    what: '§5.3.1 of RFC 7540: PRIORITY on itself',
    say: [frame(Type.Priority, 0, 1, Buffer.concat([u32(1), bytes(1)]))],
    verdict: ended(Protocol),
  },
  {
    what: '§5.3.1 of RFC 7540: HEADERS that depend on themselves',
    say: [frame(Type.Headers, Flag.Priority | 5, 1, Buffer.concat([u32(1), bytes(1), block(GET)]))],
    verdict: reset(1, Protocol),
  },
  { what: '§6.4: RST_STREAM on stream 0', say: [frame(Type.RstStream, 0, 0, u32(8))], verdict: ended(Protocol) },
  { what: '§6.4: RST_STREAM on an idle stream', say: [frame(Type.RstStream, 0, 1, u32(8))], verdict: ended(Protocol) },
  {
    what: '§6.4: RST_STREAM of another length',
    say: [open, frame(Type.RstStream, 0, 1, bytes(3))],
    verdict: ended(FrameSize),
    arriving: 1,
  },
  {
    what: '§6.5: SETTINGS with ACK and a payload',
    say: [frame(Type.Settings, Flag.Ack, 0, bytes(6))],
    verdict: ended(FrameSize),
  },
  { what: '§6.5: SETTINGS on a stream', say: [frame(Type.Settings, 0, 1)], verdict: ended(Protocol) },
  { what: '§6.5: SETTINGS of 7 bytes', say: [frame(Type.Settings, 0, 0, bytes(7))], verdict: ended(FrameSize) },
  { what: '§6.5.2: SETTINGS_ENABLE_PUSH of 2', say: [settings([0x2, 2])], verdict: ended(Protocol) },
  {
    what: '§6.5.2: SETTINGS_INITIAL_WINDOW_SIZE of 2^31',
    say: [settings([0x4, 2 ** 31])],
    verdict: ended(FlowControl),
  },
  { what: '§6.5.2: SETTINGS_MAX_FRAME_SIZE of 16,383', say: [settings([0x5, 16_383])], verdict: ended(Protocol) },
  { what: '§6.5.2: SETTINGS_MAX_FRAME_SIZE of 2^24', say: [settings([0x5, 2 ** 24])], verdict: ended(Protocol) },
  { what: '§6.5.2: an unknown parameter is ignored', say: [settings([0xff, 1], [0x0, 1])], verdict: ignored },
  {
    what: '§6.5.3: of a parameter that occurs twice the last counts',
    say: [settings([0x4, 0], [0x4, 100]), headers(1, GET)],
    verdict: answered(200),
    arriving: 1,
  },
  { what: '§6.5.2: SETTINGS_ENABLE_CONNECT_PROTOCOL of 2', say: [settings([0x8, 2])], verdict: ended(Protocol) },
  {
    what: '§6.6: a client pushes',
    say: [open, frame(Type.PushPromise, Flag.EndHeaders, 1, Buffer.concat([u32(2), block(GET)]))],
    verdict: ended(Protocol),
    arriving: 1,
  },
  { what: '§6.7: PING on a stream', say: [frame(Type.Ping, 0, 1, bytes(8))], verdict: ended(Protocol) },
  { what: '§6.7: PING of 6 bytes', say: [frame(Type.Ping, 0, 0, bytes(6))], verdict: ended(FrameSize) },
  {
    what: '§6.7: PING with ACK that nobody asked for (the RFC has nothing against it; Node does)',
    say: [frame(Type.Ping, Flag.Ack, 0, bytes(8))],
    verdict: ended(Protocol),
  },
  { what: '§6.8: GOAWAY on a stream', say: [frame(Type.Goaway, 0, 1, bytes(8))], verdict: ended(Protocol) },
  { what: '§6.8: GOAWAY of 4 bytes', say: [frame(Type.Goaway, 0, 0, bytes(4))], verdict: ended(FrameSize) },
  {
    what: '§7: GOAWAY with an unknown code ends a connection',
    say: [frame(Type.Goaway, 0, 0, Buffer.concat([u32(0), u32(0xff)]))],
    verdict: ended(Code.None, Code.Internal, 0xff),
  },
  {
    what: '§7: RST_STREAM with an unknown code is one like others',
    say: [open, frame(Type.RstStream, 0, 1, u32(0xff)), headers(3, GET)],
    verdict: answered(200, 3),
    arriving: 2,
  },
  {
    what: '§6.9: WINDOW_UPDATE of 0 for the connection',
    say: [frame(Type.WindowUpdate, 0, 0, u32(0))],
    verdict: ended(Protocol),
  },
  {
    what: '§6.9: WINDOW_UPDATE of 0 for a stream',
    say: [open, frame(Type.WindowUpdate, 0, 1, u32(0))],
    verdict: reset(1, Protocol),
    arriving: 1,
  },
  {
    what: '§6.9: WINDOW_UPDATE of another length',
    say: [frame(Type.WindowUpdate, 0, 0, bytes(3))],
    verdict: ended(FrameSize),
  },
  {
    what: '§6.9: WINDOW_UPDATE on an idle stream',
    say: [frame(Type.WindowUpdate, 0, 1, u32(1))],
    verdict: ended(Protocol),
  },
  {
    what: '§6.9.1: a connection window beyond 2^31-1',
    say: Array(2).fill(frame(Type.WindowUpdate, 0, 0, u32(2 ** 31 - 1))),
    verdict: ended(FlowControl),
  },
  {
    what: '§6.9.1: a stream window beyond 2^31-1',
    say: [open, ...Array(2).fill(frame(Type.WindowUpdate, 0, 1, u32(2 ** 31 - 1)))],
    verdict: reset(1, FlowControl),
    arriving: 1,
  },
  {
    what: '§6.9.2: a window of 1 byte that grows by SETTINGS',
    say: [settings([0x4, 1]), headers(1, GET), settings([0x4, 100])],
    verdict: answered(200),
    arriving: 1,
  },
  {
    what: '§6.9.2: a stream window that SETTINGS push beyond 2^31-1',
    say: [open, frame(Type.WindowUpdate, 0, 1, u32(2 ** 31 - 1 - 65_535)), settings([0x4, 65_536])],
    verdict: reset(1, FlowControl),
    arriving: 1,
  },
  {
    what: '§6.10: CONTINUATION on stream 0',
    say: [frame(Type.Headers, 1, 1, block(GET)), frame(Type.Continuation, 4, 0, bytes(0))],
    verdict: ended(Protocol),
  },
  {
    what: '§6.10: CONTINUATION that continues nothing',
    say: [open, frame(Type.Continuation, 4, 1, bytes(0))],
    verdict: ended(Protocol),
    arriving: 1,
  },
  {
    what: '§6.10: CONTINUATION of another stream',
    say: [frame(Type.Headers, 1, 1, block(GET)), frame(Type.Continuation, 4, 3, bytes(0))],
    verdict: ended(Protocol),
  },
  {
    what: '§6.10: CONTINUATION behind DATA',
    say: [open, data(1, 'x'), frame(Type.Continuation, 4, 1, bytes(0))],
    verdict: ended(Protocol),
    arriving: 1,
  },
  {
    what: '§6.10: a block in three pieces is one',
    say: [
      frame(Type.Headers, 1, 1, block(GET.slice(0, 2))),
      frame(Type.Continuation, 0, 1, block(GET.slice(2, 4))),
      frame(Type.Continuation, 4, 1, block(GET.slice(4))),
    ],
    verdict: answered(200),
    arriving: 1,
  },
];

const cancel = frame(Type.RstStream, 0, 1, u32(8));

/** RFC 9113 §5: the states of a stream. A stream that is not there any more may be answered as one that was never there. */
export const STREAMS: readonly Rule[] = [
  { what: '§5.1: DATA on an idle stream', say: [data(1, 'x')], verdict: ended(Protocol) },
  {
    what: '§5.1: CONTINUATION on an idle stream',
    say: [frame(Type.Continuation, 4, 1, block(GET))],
    verdict: ended(Protocol),
  },
  {
    what: '§5.1: DATA on a half-closed stream',
    say: [headers(1, GET), data(1, 'x')],
    verdict: reset(1, StreamClosed),
    arriving: 1,
  },
  {
    what: '§5.1: HEADERS on a half-closed stream',
    say: [headers(1, GET), headers(1, GET)],
    verdict: reset(1, StreamClosed, Protocol),
    arriving: 1,
  },
  {
    what: '§5.1: CONTINUATION on a half-closed stream',
    say: [headers(1, GET), frame(Type.Continuation, 4, 1, block(GET))],
    verdict: ended(StreamClosed, Protocol),
    arriving: 1,
  },
  {
    what: '§5.1: DATA on a cancelled stream (nghttp2 takes it for late; the RFC would end the connection)',
    say: [open, cancel, data(1, 'x')],
    verdict: ignored,
    arriving: 1,
  },
  {
    what: '§5.1: HEADERS on a cancelled stream (the same)',
    say: [open, cancel, headers(1, GET)],
    verdict: ignored,
    arriving: 1,
  },
  {
    what: '§5.1: CONTINUATION on a cancelled stream',
    say: [open, cancel, frame(Type.Continuation, 4, 1, block(GET))],
    verdict: ended(StreamClosed, Protocol),
    arriving: 1,
  },
  {
    what: '§5.1: WINDOW_UPDATE and RST_STREAM on a cancelled stream are late, not wrong',
    say: [open, cancel, frame(Type.WindowUpdate, 0, 1, u32(1)), cancel],
    verdict: ignored,
    arriving: 1,
  },
  { what: '§5.1.1: an even id', say: [headers(2, GET)], verdict: ended(Protocol) },
  {
    what: '§5.1.1: an id below the last one (nghttp2 ignores it; the RFC would end the connection)',
    say: [headers(5, GET), headers(3, GET)],
    verdict: answered(200, 5),
    arriving: 1,
  },
  {
    what: '§5.1.1: the highest id',
    say: [headers(2 ** 31 - 1, GET)],
    verdict: answered(200, 2 ** 31 - 1),
    arriving: 1,
  },
  {
    what: '§8.1: HEADERS in the middle of a body',
    say: [open, data(1, 'x'), headers(1, [['x-a', 'b']], { isEnd: false })],
    verdict: reset(1, Protocol),
    arriving: 1,
  },
];
