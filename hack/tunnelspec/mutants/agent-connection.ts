import type { Mutant } from './mutant.ts';
import { type Change, without } from './without.ts';

const DIAL = 'agent/dial.ts';
const DIALER = 'agent/dialer.ts';
const AGENT_SESSION = 'tunnel/session/agent-session.ts';
const SESSION = 'tunnel/session/session.ts';
const VITALS = 'tunnel/session/vitals.ts';
const WEBSOCKET = 'tunnel/session/websocket.ts';
const BYTES = 'tunnel/wire/bytes.ts';
const DECODE = 'tunnel/wire/decode.ts';
const HEAD = 'tunnel/wire/head.ts';
const DOCUMENTS = 'tunnel/wire/documents.ts';

const GREETING_CHECK = "if (isGreeting !== (this.#state === 'greeting') && frame.type !== FrameType.Goaway) {";

const agent = (rule: string, ...changes: readonly Change[]) => without('agent', rule, ...changes);

/** §1 to §3. */
export const agentConnectionMutants: readonly Mutant[] = [
  agent('1.1', [DIAL, "setHeader('Authorization',", "setHeader('X-Authorization',"]),
  agent('1.1', [DIAL, '[SUBPROTOCOL]', "['clustertunnel.v0', SUBPROTOCOL]"]),
  agent(
    '1.2',
    [DIAL, 'rejectUnauthorized: true,', 'rejectUnauthorized: false,'],
    [DIAL, 'if (tlsSocket.authorized) send();', 'if (true) send();'],
  ),
  agent('1.2', [DIAL, '...vouchedFor(new URL(gatewayUrl).hostname),', 'checkServerIdentity: () => undefined,']),
  agent('1.6', [WEBSOCKET, 'perMessageDeflate: false,', 'perMessageDeflate: true,']),
  agent('1.7', [WEBSOCKET, 'if (isBinary) events', 'if (isBinary || true) events']),
  agent('1.8', [WEBSOCKET, 'maxPayload: MAX_MESSAGE_BYTES,', 'maxPayload: 0,']),
  agent('1.8', [WEBSOCKET, 'maxPayload: MAX_MESSAGE_BYTES,', 'maxPayload: MAX_MESSAGE_BYTES - 1,']),

  agent('2.1', [
    DECODE,
    'if (bytes.length - at < FRAME_HEADER_BYTES) {',
    'if (bytes.length - at < FRAME_HEADER_BYTES) return;\n    if (false) {',
  ]),
  agent('2.1', [
    DECODE,
    'if (length > bytes.length - at) {',
    'if (length > bytes.length - at) return;\n    if (false) {',
  ]),
  agent('2.2', [DECODE, 'if (payload.length > limit) {', 'if (false) {']),
  agent('2.2', [DECODE, 'if (payload.length > limit) {', 'if (payload.length >= limit) {']),
  agent('2.3', [DECODE, 'if ((type & IGNORABLE_TYPE_BIT) !== 0) return undefined;', '']),
  agent('2.4', [DECODE, 'if ((type & IGNORABLE_TYPE_BIT) !== 0) return', 'return']),
  agent('2.5', [DECODE, 'if ((flags & ~(ALLOWED_FLAGS[type] ?? 0)) !== 0) throw', 'if (false) throw']),
  agent('2.6', [DECODE, 'if (streamId !== 0) throw', 'if (false) throw']),
  agent('2.6', [DECODE, 'if (streamId === 0 || streamId > MAX_STREAM_ID) {', 'if (streamId === 0) {']),
  agent('2.6', [DECODE, 'if (streamId === 0 || streamId > MAX_STREAM_ID) {', 'if (streamId > MAX_STREAM_ID) {']),
  agent('2.7', [BYTES, 'if (this.remaining > 0) throw', 'if (false) throw']),
  // A text that is too short is taken as far as it goes.
  agent('2.7', [
    BYTES,
    "const start = this.#take(length);\n    return this.#bytes.toString('latin1',",
    "const start = this.#take(Math.min(length, this.remaining));\n    return this.#bytes.toString('latin1',",
  ]),
  agent('2.8', [BYTES, 'fatal: true', 'fatal: false']),
  agent('2.8', [DOCUMENTS, 'fatal: true', 'fatal: false']),
  agent('2.9', [DOCUMENTS, "throw new ProtocolError('payload is not a JSON object');", 'return {};']),
  agent('2.9', [
    DOCUMENTS,
    "version: countIn(document, 'version'),",
    "version: countIn(Object.keys(document).length > 5 ? {} : document, 'version'),",
  ]),
  agent('2.11', [AGENT_SESSION, 'throw new ProtocolError(`a gateway', 'return void String(`a gateway']),
  agent('2.12', [SESSION, 'if (this.isClosed) return;', '']),
  agent(
    '2.12',
    [
      SESSION,
      "#receive(message: Uint8Array): void {\n    if (this.#state === 'closed') return;",
      '#receive(message) {',
    ],
    [SESSION, 'if (this.isClosed) return;', ''],
  ),

  agent('3.1', [
    AGENT_SESSION,
    'this.session.document(FrameType.Hello,',
    'this.session.writer.control(encode({ type: FrameType.Ping, token: 1 }));\n    this.session.document(FrameType.Hello,',
  ]),
  agent('3.3', [SESSION, GREETING_CHECK, "if (isGreeting && this.#state !== 'greeting') {"]),
  agent('3.3', [SESSION, GREETING_CHECK, GREETING_CHECK.replace(' && frame.type !== FrameType.Goaway', '')]),
  agent('3.5', [VITALS, 'this.deadlines.after(HANDSHAKE_TIMEOUT_MS,', 'this.deadlines.after(1_000_000,']),
  agent('3.8', [AGENT_SESSION, 'if (!VERSIONS.includes(welcome.version)) {', 'if (false) {']),
  agent(
    '3.9',
    [SESSION, GREETING_CHECK, "if (!isGreeting && this.#state === 'greeting' && frame.type !== FrameType.Goaway) {"],
    [
      AGENT_SESSION,
      "this.session.advance('greeted');",
      "if (this.session.state === 'greeting') this.session.advance('greeted');",
    ],
  ),
  agent('3.12', [DIALER, 'previous: this.#previous }', 'previous: undefined }']),
  agent('3.12', [AGENT_SESSION, '|| !this.session.isLost) return undefined;', ') return undefined;']),
  agent('3.12', [SESSION, 'if (goaway.code === ErrorCode.Silent) return this.#givenUp(goaway);', '']),
  agent('3.10', [
    DOCUMENTS,
    "version: countIn(document, 'version'),\n    features: textsIn(document, 'features'),\n    sessionId: textIn(document, 'sessionId'),",
    "version: 1,\n    features: [],\n    sessionId: 's',",
  ]),
  agent('2.13', [HEAD, 'if (!isRequestLine({ method, path })) throw', 'if (false) throw']),
  agent('2.13', [HEAD, 'if (lines > MAX_HEADER_LINES) throw', 'if (false) throw']),
  agent('2.13', [HEAD, 'if (trouble !== undefined) throw new ProtocolError', 'if (false) throw new ProtocolError']),
  agent('2.13', [HEAD, 'if (who > Who.UserWithExtras) throw', 'if (false) throw']),
];
