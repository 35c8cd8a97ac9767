import { pick, type Random } from '../../../hack/fuzz/random.ts';
import { block, data, type Fields, Flag, frame, headers, settings, Type, u32 } from '../../support/raw-http2.ts';

const PODS = '/clusters/c1/api/v1/namespaces/default/pods';
const GOOD = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':authority', 'g'],
  [':path', PODS],
  ['authorization', 'Bearer alice'],
  ['accept', 'application/json'],
] as const;

type Field = readonly [string, string];

const EXTRA: readonly Field[] = [
  ...([
    ['connection', 'close'],
    ['transfer-encoding', 'chunked'],
    ['te', 'gzip'],
    ['upgrade', 'h2c'],
  ] as const),
  ...([
    ['host', 'other'],
    ['host', 'g'],
    ['content-length', '5'],
    ['content-length', 'x'],
    ['X-A', 'b'],
  ] as const),
  ...([
    ['x\r\ny', 'z'],
    ['x-a', 'b\r\nc: d'],
    ['x-a', '\0'],
    ['', ''],
    [':test', 'x'],
    [':status', '200'],
  ] as const),
  ...([
    [':path', '/'],
    [':protocol', 'websocket'],
    ['authorization', 'Bearer root'],
    ['x_a', 'b'],
  ] as const),
  ...([
    ['impersonate-user\0', 'root'],
    ['Impersonate-User', 'root'],
    ['x-remote-user', 'root'],
    ['x-a', ' b '],
  ] as const),
  ['x-a', 'b'.repeat(70_000)],
];
const PATHS = [
  '',
  '*',
  '/',
  'https://evil/x',
  '//evil/x',
  `${PODS}/../x`,
  `${PODS}/%2e%2e/x`,
  `${PODS} x`,
  `${PODS}\r\nX: y`,
];
const METHODS = ['', 'CONNECT', 'TRACE', 'get', 'GET /x', 'PRI', 'POST', 'G\0T', 'HEAD'];

type Mutation = (fields: Field[], random: Random) => void;
const replace = (fields: Field[], name: string, value: string) => {
  const at = fields.findIndex(([each]) => each === name);
  if (at >= 0) fields[at] = [name, value];
};

const MUTATIONS: readonly Mutation[] = [
  (fields, random) => void fields.splice(random(fields.length + 1), 0, pick(EXTRA, random)),
  (fields, random) => void fields.splice(random(fields.length), 1),
  (fields, random) => void fields.push(...fields.splice(random(fields.length), 1)),
  (fields, random) => replace(fields, ':path', pick(PATHS, random)),
  (fields, random) => replace(fields, ':method', pick(METHODS, random)),
  (fields, random) => replace(fields, ':authority', pick(['', 'a b', 'root@g', 'g:x', '[::1]:8443', 'a,b'], random)),
  (fields, random) => {
    const at = random(fields.length);
    const [name, value] = fields[at] ?? ['', ''];
    const place = random(value.length + 1);
    fields[at] = [name, value.slice(0, place) + String.fromCharCode(random(256)) + value.slice(place + random(2))];
  },
];

/** A list of fields: nearly a request. */
export function fieldsInput(random: Random): Fields {
  const fields: Field[] = [...GOOD];
  for (let changes = random(4); changes > 0 && fields.length > 0; changes--) pick(MUTATIONS, random)(fields, random);
  return fields;
}

/** Frames of one request on a stream, damaged. */
export function framesInput(id: number, random: Random): Buffer {
  const post = block([[':method', 'POST'], ...GOOD.slice(1)]);
  const whole = pick(
    [
      [headers(id, GOOD)],
      [
        headers(id, [[':method', 'POST'], ...GOOD.slice(1)], { isEnd: false }),
        data(id, 'x'),
        data(id, 'y', { isEnd: true }),
      ],
      [
        frame(Type.Headers, 0, id, post.subarray(0, 40)),
        frame(Type.Continuation, Flag.EndHeaders, id, post.subarray(40)),
        data(id, 'x', { isEnd: true }),
      ],
      [headers(id, GOOD), frame(Type.WindowUpdate, 0, id, u32(1)), frame(Type.RstStream, 0, id, u32(8))],
      [
        settings([0x4, 1_000]),
        headers(id, GOOD),
        frame(Type.Ping, 0, 0, Buffer.alloc(8)),
        frame(Type.Priority, 0, id, Buffer.alloc(5)),
      ],
      [headers(id, GOOD), frame(random(16), random(256), random(4), Buffer.alloc(random(20), random(256)))],
    ],
    random,
  );
  const bytes = Buffer.concat(whole);
  for (let changes = random(4); changes > 0; changes--) bytes[random(bytes.length)] = random(256);
  return random(6) === 0 ? bytes.subarray(0, random(bytes.length)) : bytes;
}
