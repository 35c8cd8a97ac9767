import { connect as connectTcp, type Socket } from 'node:net';
import { constants, setPriority } from 'node:os';
import { connect as connectTls } from 'node:tls';
import { serve } from '../../load/serve.ts';

/** Strangers who hold connections open: each says one byte a second, of something that never becomes a request. */

/** In which a socket is moved on: every one has its turn once a second. */
const STEP_MS = 10;
const STEPS = 1_000 / STEP_MS;
/** New connections, until there are enough, and for those that the gateway cut. */
const CONNECTS_PER_STEP = 5;

type Kind = 'handshake' | 'http1' | 'preface' | 'headers' | 'body';
/** A third each in a TLS handshake, in a head of HTTP/1.1, and in HTTP/2. */
const KINDS: readonly Kind[] = [
  ...(['handshake', 'http1', 'preface'] as const),
  ...(['handshake', 'http1', 'headers'] as const),
  ...(['handshake', 'http1', 'body'] as const),
];

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const SETTINGS = '\0\0\0\x04\0\0\0\0\0';
/** A ClientHello of 512 bytes. */
const HELLO = '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03';
const field = (name: string, value: string) =>
  `\x10${String.fromCharCode(name.length)}${name}${String.fromCharCode(value.length)}${value}`;
const POST = [
  ...[field(':method', 'POST'), field(':scheme', 'https'), field(':authority', 'g')],
  field(':path', '/clusters/bench/api/v1/namespaces/default/configmaps'),
].join('');
const headers = (flags: number, block: string) =>
  `\0\0${String.fromCharCode(block.length, 1, flags)}\0\0\0\x01${block}`;

/** What is said at once, and what then dribbles, again and again. */
const WORDS: Readonly<Record<Kind, readonly [atOnce: string, dribble: string]>> = {
  handshake: [HELLO, '\0'],
  http1: ['GET /clusters/bench/api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: g\r\nX-A: ', 'a'],
  preface: ['', PREFACE],
  headers: [PREFACE + SETTINGS + headers(0, POST), '\0\0\x01\x09\0\0\0\0\x01\x10'],
  body: [PREFACE + SETTINGS + headers(4, POST), '\0\0\x01\0\0\0\0\0\x01x'],
};

interface Dribbler {
  readonly kind: Kind;
  readonly socket: Socket;
  said: number;
  isConnected: boolean;
}

let target = { port: 0, ca: '' };
let wanted = 0;
let timer: NodeJS.Timeout | undefined;
let turn = 0;
let opened = 0;
const dribblers = new Set<Dribbler>();

function open(kind: Kind): void {
  const at = { host: '127.0.0.1', port: target.port };
  const secure = {
    ...at,
    ca: target.ca,
    servername: 'localhost',
    ALPNProtocols: [kind === 'http1' ? 'http/1.1' : 'h2'],
  };
  const socket = kind === 'handshake' ? connectTcp(at) : connectTls(secure);
  const dribbler: Dribbler = { kind, socket, said: 0, isConnected: false };
  dribblers.add(dribbler);
  opened += 1;
  socket.on('error', () => {}); // cut: 'close' says the rest
  socket.on('close', () => dribblers.delete(dribbler));
  socket.resume();
  socket.once(kind === 'handshake' ? 'connect' : 'secureConnect', () => {
    dribbler.isConnected = true;
    if (WORDS[kind][0] !== '') socket.write(WORDS[kind][0], 'latin1');
  });
}

/** One byte each of a twentieth of the dribblers, and some new ones. */
function step(): void {
  turn += 1;
  let at = 0;
  for (const dribbler of dribblers) {
    at += 1;
    if (at % STEPS !== turn % STEPS || !dribbler.isConnected || !dribbler.socket.writable) continue;
    const [, dribble] = WORDS[dribbler.kind];
    dribbler.socket.write(dribble.charAt(dribbler.said % dribble.length), 'latin1');
    dribbler.said += 1;
  }
  for (let more = 0; more < CONNECTS_PER_STEP && dribblers.size < wanted; more++) {
    open(KINDS[opened % KINDS.length] ?? 'handshake');
  }
}

const methods = {
  /** They would have machines of their own: here they take what nobody else wants of this one. */
  aim(at: { readonly port: number; readonly ca: string }) {
    setPriority(constants.priority.PRIORITY_LOW);
    target = at;
  },

  /** From now on there are so many of them: who is cut comes again. */
  start(count: number) {
    wanted = count;
    timer ??= setInterval(step, STEP_MS);
  },

  /** How many are there now, and how many there ever were. */
  count: () => ({ open: [...dribblers].filter(({ isConnected }) => isConnected).length, opened }),

  stop() {
    wanted = 0;
    clearInterval(timer);
    timer = undefined;
    for (const { socket } of dribblers) socket.destroy();
  },
};

export type DribblersMethods = typeof methods;

serve(methods);
