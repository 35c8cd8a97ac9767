import { pick, type Random } from '../../../hack/fuzz/random.ts';

const PODS = '/clusters/c1/api/v1/namespaces/default/pods';
const COMMON = 'Host: gateway\r\nAuthorization: Bearer alice\r\n';
const post = (lines: string, body: string, path = PODS) => `POST ${path} HTTP/1.1\r\n${COMMON}${lines}\r\n${body}`;
const upgrade = (lines: string) => `GET ${PODS}/web/exec?command=sh HTTP/1.1\r\n${COMMON}${lines}\r\n`;

/** Requests as they should be. */
const VALID: readonly string[] = [
  `GET ${PODS} HTTP/1.1\r\n${COMMON}\r\n`,
  `GET ${PODS}?limit=500 HTTP/1.1\r\n${COMMON}Accept: application/json\r\nX-Trace-ID: abc\r\n\r\n`,
  `HEAD ${PODS}/web HTTP/1.1\r\n${COMMON}\r\n`,
  `DELETE ${PODS}/web HTTP/1.0\r\n${COMMON}Connection: keep-alive\r\n\r\n`,
  post('Content-Type: application/json\r\nContent-Length: 13\r\n', '{"kind":"x"}\n'),
  post('Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n6;a=b;c="d e"\r\n world\r\n0\r\n\r\n'),
  post('Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n', '1\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n'),
  post('Expect: 100-continue\r\nContent-Length: 2\r\n', 'ok'),
  upgrade('Connection: Upgrade\r\nUpgrade: websocket\r\n'),
];

const SECRET = `GET /clusters/c1/api/v1/secrets HTTP/1.1\r\n${COMMON}\r\n`;

/** What others were led astray by: lines of a head, in which two readers see two things. */
const SMUGGLING: readonly string[] = [
  'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n',
  'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n',
  ...[
    'xchunked',
    'chunked, identity',
    'gzip, chunked',
    '\x0bchunked',
    'chunked\x00',
    'chunked;q=1',
    '"chunked"',
    '',
  ].map((coding) => `Transfer-Encoding: ${coding}\r\n`),
  'Transfer-Encoding : chunked\r\n',
  'Transfer-Encoding\r\n : chunked\r\n',
  'X-A: b\r\n Transfer-Encoding: chunked\r\n',
  'X-A: b\rTransfer-Encoding: chunked\r\n',
  'X-A: b\nTransfer-Encoding: chunked\r\n',
  'Content-Length: 4\r\nContent-Length: 0\r\n',
  ...['+4', '-1', '0x4', '4, 4', '4 4', '4;', '18446744073709551620', '99999999999999999999', ''].map(
    (length) => `Content-Length: ${length}\r\n`,
  ),
  'Connection: close, content-length\r\nContent-Length: 4\r\n',
  'Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n',
  'Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 4\r\n',
  'Host: evil\r\n',
  'Host: a b\r\n',
];

/** Bodies that end in two places, or nowhere. */
const BODIES: readonly string[] = [
  `0\r\n\r\n${SECRET}`,
  `1\r\nxy\r\n0\r\n\r\n${SECRET}`,
  `1;\nx\r\n0\r\n\r\n${SECRET}`,
  `1;a\rb\r\nx\r\n0\r\n\r\n${SECRET}`,
  `1 ;a=b\r\nx\r\n0\r\n\r\n`,
  `1;${'a'.repeat(20_000)}\r\nx\r\n0\r\n\r\n`,
  `0x1\r\nx\r\n0\r\n\r\n${SECRET}`,
  `-1\r\nx\r\n0\r\n\r\n${SECRET}`,
  `1\nx\n0\n\n${SECRET}`,
  'ffffffffffffffff\r\nx',
  '10000000000000001\r\nx\r\n0\r\n\r\n',
  `7fffffff\r\n${'x'.repeat(100)}`,
  `0\r\nContent-Length: 5\r\n\r\n${SECRET}`,
  `0\r\nX-A : b\r\n\r\n${SECRET}`,
  `0\r\n\r${SECRET}`,
  `abcd${SECRET}`,
  'ab',
];

const TARGETS: readonly string[] = [
  ...['http://evil.example/clusters/c1/api', '//evil.example/clusters/c1/api', '*', 'evil.example:443', ''],
  ...[`${PODS}/../../secrets`, `${PODS}/%2e%2e/secrets`, `${PODS}\\..\\x`, `${PODS}#x`, `${PODS}/a%00b`, `${PODS}%`],
  `${PODS} HTTP/1.1\r\nX-A: b`,
];

const BYTES = [
  '\r',
  '\n',
  '\r\n',
  '\0',
  ' ',
  '\t',
  ':',
  ';',
  ',',
  '\x80',
  '\xff',
  '\x7f',
  '%',
  '/',
  '..',
  '//',
  '_',
  '"',
  '0',
];

type Mutation = (text: string, random: Random) => string;
const cut = (text: string, from: number, to: number, put = '') => text.slice(0, from) + put + text.slice(to);

const MUTATIONS: readonly Mutation[] = [
  (text, random) => ((at) => cut(text, at, at + 1, String.fromCharCode(random(256))))(random(text.length + 1)),
  (text, random) => ((at) => cut(text, at, at, pick(BYTES, random)))(random(text.length + 1)),
  (text, random) => ((at) => cut(text, at, at + 1 + random(8)))(random(text.length + 1)),
  (text, random) => ((at) => cut(text, at, at, text.slice(at, at + random(80))))(random(text.length + 1)),
  (text, random) => text.slice(0, random(text.length + 1)),
  (text, random) => text.replace('Host:', `${pick(SMUGGLING, random)}Host:`),
  (text, random) => text.replace(/ \/\S*/, () => ` ${pick(TARGETS, random)}`),
  (text, random) =>
    text.replace(
      /HTTP\/1\.\d/,
      pick(['HTTP/1.0', 'HTTP/2.0', 'HTTP/0.9', 'HTTP/1.2', 'http/1.1', 'HTTP/1.10', 'ICE/1.0'], random),
    ),
  (text, random) => text.replace(/^\S+/, pick(['CONNECT', 'TRACE', 'PRI', 'get', 'G\0T', 'M-SEARCH', ''], random)),
  (text, random) => text.replaceAll('\r\n', pick(['\n', '\r', '\r\r\n', '\n\r'], random)),
  (text, random) =>
    `${text}${pick(['garbage\r\n\r\n', '\0', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '\r\n\r\n', SECRET, '\x16\x03\x01'], random)}`,
];

/** One input: nearly a request, and its garbage. Sometimes a valid one, so that what may arrive does. Latin1. */
export function http1Input(random: Random): string {
  const kind = random(10);
  if (kind === 0) return pick(VALID, random);
  if (kind <= 2) return post(pick(SMUGGLING, random), pick(BODIES, random));
  if (kind === 3) return post('Transfer-Encoding: chunked\r\n', pick(BODIES, random));
  let text = random(5) === 0 ? pick(VALID, random) + pick(VALID, random) : pick(VALID, random);
  for (let changes = 1 + random(3); changes > 0; changes--) text = pick(MUTATIONS, random)(text, random);
  return text;
}
