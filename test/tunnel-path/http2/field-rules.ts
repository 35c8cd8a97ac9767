import { block, Code, data, type Fields, frame, headers, Type } from '../../support/raw-http2.ts';
import { PODS } from '../hostile.ts';
import { answered, ended, GET, POST, type Rule, reset, without, withValue } from './rule.ts';

const { Protocol, Compression, EnhanceYourCalm } = Code;
const ask = (what: string, fields: Fields, verdict = reset(1, Protocol), arriving = 0): Rule => ({
  what,
  say: [headers(1, fields)],
  verdict,
  arriving,
});
/** nghttp2 drops the field and serves the rest; the RFC would reset. Harmless: not a byte of it goes on. */
const dropped = (what: string, fields: Fields): Rule => ask(`${what} is no field`, fields, answered(200), 1);
const upload = (what: string, length: string, ...bodies: Buffer[]): Rule => ({
  what,
  say: [headers(1, [...POST, ['content-length', length]], { isEnd: false }), ...bodies],
  verdict: reset(1, Protocol),
  arriving: 1,
});
const trailing = (what: string, trailers: Fields, verdict = reset(1, Protocol)): Rule => ({
  what,
  say: [headers(1, POST, { isEnd: false }), data(1, 'x'), headers(1, trailers)],
  verdict,
  arriving: 1,
});

/** RFC 9113 §8: what a request is. */
export const FIELDS: readonly Rule[] = [
  ask('§8.2.1: an upper-case name', [...GET, ['X-Test', 'ok']]),
  dropped('§8.2.1: a name with a space', [...GET, ['x test', 'ok']]),
  dropped('§8.2.1: an empty name', [...GET, ['', 'ok']]),
  dropped('§8.2.1: a name with a line break', [...GET, ['x\r\nimpersonate-user', 'root']]),
  dropped('§8.2.1: a value with a line break', [...GET, ['x-test', 'ok\r\nImpersonate-User: root']]),
  dropped('§8.2.1: a value with a NUL', [...GET, ['x-test', 'a\0b']]),
  dropped('§8.2.1: a value that begins with a space', [...GET, ['x-test', ' ok']]),
  ask('§8.2.1: a path with a line break', withValue(':path', `${PODS} HTTP/1.1\r\nx: y`)),
  ask('§8.2.1: a method with a space', withValue(':method', 'GET /x')),
  ask('§8.2.2: Connection', [...GET, ['connection', 'keep-alive']]),
  ask('§8.2.2: Connection that names an identity', [...GET, ['connection', 'impersonate-user']]),
  ask('§8.2.2: Keep-Alive', [...GET, ['keep-alive', '5']]),
  ask('§8.2.2: Proxy-Connection', [...GET, ['proxy-connection', 'keep-alive']]),
  ask('§8.2.2: Transfer-Encoding', [...POST, ['transfer-encoding', 'chunked']]),
  ask('§8.2.2: Upgrade', [...GET, ['upgrade', 'websocket']]),
  ask('§8.2.2: TE of something else', [...GET, ['te', 'trailers, deflate']]),
  ask('§8.2.2: TE of trailers', [...GET, ['te', 'trailers']], answered(200), 1),
  ask('§8.3: an unknown pseudo field', [[':test', 'ok'], ...GET]),
  ask("§8.3: a response's pseudo field", [...GET.slice(0, 4), [':status', '200'], ...GET.slice(4)]),
  ask('§8.3: a pseudo field behind another', [...without(':path'), [':path', PODS]]),
  ask('§8.3.1: no :method', without(':method')),
  ask('§8.3.1: no :scheme', without(':scheme')),
  ask('§8.3.1: no :path', without(':path')),
  ask('§8.3.1: an empty :path', withValue(':path', '')),
  ask('§8.3.1: no :authority and no Host', without(':authority')),
  ask('§8.3.1: :method twice', [[':method', 'GET'], ...GET]),
  ask('§8.3.1: :scheme twice', [[':scheme', 'https'], ...GET]),
  ask('§8.3.1: :path twice', [[':path', '/clusters'], ...GET]),
  ask('§8.3.1: :authority twice', [[':authority', 'g'], ...GET]),
  ask('§8.3.1: :path that is an address', withValue(':path', `https://evil.example${PODS}`)),
  ask('§8.3.1: :path of an asterisk', withValue(':path', '*')),
  ask('§8.3.1: :authority with a user', withValue(':authority', 'root@g'), answered(400)),
  ask('§8.3.1: another :authority beside Host', [...GET, ['host', 'other']], answered(400)),
  ask('§8.3.1: Host twice', [...GET, ['host', 'g'], ['host', 'g']]),
  ask('§8.3.1: Authorization twice', [...GET, ['authorization', 'Bearer root']], answered(400)),
  ask('§8.5: CONNECT with a path', withValue(':method', 'CONNECT')),
  ask(
    '§8.5: CONNECT',
    [
      [':method', 'CONNECT'],
      [':authority', 'evil:443'],
    ],
    answered(405),
  ),
  ask('RFC 8441: extended CONNECT, which was not offered', [
    [':protocol', 'websocket'],
    ...withValue(':method', 'CONNECT'),
  ]),
  ask('§9.1 of RFC 9110: TRACE', withValue(':method', 'TRACE'), answered(405)),
  ask('§9.1 of RFC 9110: a method of nobody', withValue(':method', 'PURGE'), answered(405)),
  ask('a path that means another', withValue(':path', `${PODS}/../../secrets`), answered(400)),
  upload('§8.1.1: more body than Content-Length', '1', data(1, 'xx', { isEnd: true })),
  upload('§8.1.1: less body than Content-Length', '3', data(1, 'x'), data(1, 'x', { isEnd: true })),
  upload('§8.1.1: a body where Content-Length is 0', '0', data(1, 'x', { isEnd: true })),
  {
    ...upload('§8.1.1: no body where Content-Length is 1', '1'),
    say: [headers(1, [...POST, ['content-length', '1']])],
  },
  {
    ...upload('§8.6 of RFC 9110: Content-Length twice', '1'),
    say: [headers(1, [...POST, ['content-length', '0'], ['content-length', '0']])],
  },
  {
    ...upload('§8.6 of RFC 9110: Content-Length that is no number', '1'),
    say: [headers(1, [...POST, ['content-length', '+0']])],
  },
  trailing('§8.1: a pseudo field among trailers', [[':method', 'GET']]),
  trailing('§8.2.1: an upper-case name among trailers', [['X-A', 'b']]),
  trailing('§8.2.2: Transfer-Encoding among trailers', [['transfer-encoding', 'chunked']]),
];

const NOTHING = Buffer.alloc(0);
/** A block that goes on with these bytes. */
const packed = (what: string, bytes: readonly number[], before = NOTHING, verdict = ended(Compression)): Rule => ({
  what,
  say: [frame(Type.Headers, 5, 1, Buffer.concat([before, block(GET), Buffer.from(bytes)]))],
  verdict,
});
const NAMED = [0x10, 1, 0x78];

/** RFC 7541: how fields are packed. */
export const PACKING: readonly Rule[] = [
  packed('RFC 7541 §2.3.3: an index beyond both tables', [0xff, 0x80, 0x01]),
  packed('RFC 7541 §6.1: index 0', [0x80]),
  packed('RFC 7541 §5.1: an integer that never ends', [0xff, ...Array(12).fill(0xff), 0x7f]),
  packed('RFC 7541 §5.2: a text that is longer than its block', [0x10, 0x7f, 0xff, 0x7f, 0x61]),
  packed('RFC 7541 §5.2: a Huffman code with more than 7 bits of padding', [...NAMED, 0x82, 0x1f, 0xff]),
  packed('RFC 7541 §5.2: a Huffman code padded with zeroes', [...NAMED, 0x81, 0x18]),
  packed('RFC 7541 §5.2: a Huffman code with EOS', [...NAMED, 0x84, 0xff, 0xff, 0xff, 0xff]),
  packed('RFC 7541 §4.2: a change of table size behind a field', [0x20]),
  packed('RFC 7541 §6.3: a table larger than was offered', [], Buffer.from([0x3f, 0xe1, 0x3f])),
  packed('RFC 7541 §7.1: a field cut in two', [0x10, 0x03, 0x61]),
  {
    what: 'a field of 4,000 bytes that is repeated 16,000 times by its index (an HPACK bomb)',
    say: [
      frame(
        Type.Headers,
        5,
        1,
        Buffer.concat([
          block(GET),
          Buffer.from([0x40, 1, 0x78, 0x7f, 0xa1, 0x1e]),
          Buffer.alloc(4_000, 'a'),
          Buffer.alloc(12_000, 0xbe),
        ]),
      ),
    ],
    verdict: reset(1, EnhanceYourCalm, Compression),
  },
  ask('201 fields', [...GET, ...lines(201)], answered(431)),
  ask('500 fields: Node takes no more than 400', [...GET, ...lines(500)], reset(1, EnhanceYourCalm)),
];

function lines(count: number): Fields {
  return Array.from({ length: count }, (_, at) => [`x-${at}`, 'b'] as const);
}
