import type { Mutant } from './mutant.ts';
import { type Change, without } from './without.ts';

const ADMIT = 'operator/gateway/sessions/admit-agent.ts';
const TOKEN = 'operator/gateway/sessions/agent-token.ts';
const HUB = 'operator/gateway/sessions/hub.ts';
const UNSETTLED = 'operator/gateway/sessions/unsettled.ts';
const WEBSOCKET = 'tunnel/session/websocket.ts';
const SESSION = 'tunnel/session/session.ts';
const GATEWAY_SESSION = 'tunnel/session/gateway-session.ts';
const SETTINGS = 'tunnel/session/settings.ts';
const VITALS = 'tunnel/session/vitals.ts';
const DECODE = 'tunnel/wire/decode.ts';
const BYTES = 'tunnel/wire/bytes.ts';
const HEAD = 'tunnel/wire/head.ts';
const DOCUMENTS = 'tunnel/wire/documents.ts';

const GREETING_CHECK = "if (isGreeting !== (this.#state === 'greeting') && frame.type !== FrameType.Goaway) {";
const STRICT_MEMBERS = `
  const known = ['versions', 'features', 'instanceId', 'connection', 'agentVersion', 'slots', 'previous'];
  if (Object.keys(document).some((name) => !known.includes(name))) throw new ProtocolError('unknown member');`;

const gateway = (rule: string, ...changes: readonly Change[]) => without('gateway', rule, ...changes);

/** §1 to §3. */
export const gatewayConnectionMutants: readonly Mutant[] = [
  gateway('1.3', [TOKEN, 'return matches ? key : undefined;', 'return key;']),
  gateway('1.4', [ADMIT, 'if (request.headers.origin !== undefined) {', 'if (false) {']),
  gateway('1.5', [ADMIT, '.includes(SUBPROTOCOL)) {', '.includes(SUBPROTOCOL) && false) {']),
  gateway('1.6', [WEBSOCKET, 'perMessageDeflate: false,', 'perMessageDeflate: true,']),
  gateway('1.7', [WEBSOCKET, 'if (isBinary) events', 'if (isBinary || true) events']),
  gateway('1.8', [WEBSOCKET, 'maxPayload: MAX_MESSAGE_BYTES,', 'maxPayload: 0,']),
  gateway('1.8', [WEBSOCKET, 'maxPayload: MAX_MESSAGE_BYTES,', 'maxPayload: MAX_MESSAGE_BYTES - 1,']),

  gateway('2.1', [
    DECODE,
    'if (bytes.length - at < FRAME_HEADER_BYTES) {',
    'if (bytes.length - at < FRAME_HEADER_BYTES) return;\n    if (false) {',
  ]),
  gateway('2.1', [
    DECODE,
    'if (length > bytes.length - at) {',
    'if (length > bytes.length - at) return;\n    if (false) {',
  ]),
  gateway('2.2', [DECODE, 'if (payload.length > limit) {', 'if (false) {']),
  gateway('2.3', [DECODE, 'if ((type & IGNORABLE_TYPE_BIT) !== 0) return undefined;', '']),
  gateway('2.4', [DECODE, 'if ((type & IGNORABLE_TYPE_BIT) !== 0) return', 'return']),
  gateway('2.5', [DECODE, 'if ((flags & ~(ALLOWED_FLAGS[type] ?? 0)) !== 0) throw', 'if (false) throw']),
  gateway('2.6', [DECODE, 'if (streamId !== 0) throw', 'if (false) throw']),
  gateway('2.6', [DECODE, 'if (streamId === 0 || streamId > MAX_STREAM_ID) {', 'if (false) {']),
  gateway('2.7', [BYTES, 'if (this.remaining > 0) throw', 'if (false) throw']),
  gateway('2.7', [
    DECODE,
    'case FrameType.Pong: {\n      const reader = new ByteReader(payload);',
    'case FrameType.Pong: {\n      const reader = new ByteReader(Buffer.concat([Buffer.alloc(4), payload]).subarray(-4));',
  ]),
  gateway('2.8', [BYTES, 'fatal: true', 'fatal: false']),
  gateway('2.8', [DOCUMENTS, 'fatal: true', 'fatal: false']),
  gateway('2.9', [
    DOCUMENTS,
    "if (typeof value !== 'object' || value === null || Array.isArray(value)) {",
    'if (value === null) {',
  ]),
  gateway('2.9', [
    DOCUMENTS,
    "const slots = objectIn(document, 'slots');",
    `const slots = objectIn(document, 'slots');${STRICT_MEMBERS}`,
  ]),
  gateway('2.10', [GATEWAY_SESSION, 'throw new ProtocolError(`an agent', 'return void String(`an agent']),
  gateway('2.12', [
    SESSION,
    'throw error;\n      this.fail(error);',
    'throw error;\n      setTimeout(() => this.fail(error), 200);',
  ]),
  gateway('2.12', [
    DECODE,
    'const frame = decodeFrame(type, flags, streamId, bytes.subarray(at, at + length));',
    `let frame: Frame | undefined;
    try {
      frame = decodeFrame(type, flags, streamId, bytes.subarray(at, at + length));
    } catch (error) {
      decodeMessage(bytes.subarray(at + length), receive, skip);
      throw error;
    }`,
  ]),

  gateway('3.2', [SESSION, GREETING_CHECK, "if (isGreeting !== (this.#state === 'greeting')) {"]),
  gateway('3.2', [SESSION, GREETING_CHECK, "if (isGreeting && this.#state !== 'greeting') {"]),
  gateway('3.4', [VITALS, 'this.deadlines.after(HANDSHAKE_TIMEOUT_MS,', 'this.deadlines.after(1_000_000,']),
  gateway('3.6', [
    SETTINGS,
    'const version = versions.find((each) => VERSIONS.includes(each));',
    'const [version] = versions;',
  ]),
  gateway('3.6', [SETTINGS, 'features: FEATURES.filter((each) => features.includes(each))', 'features: FEATURES']),
  gateway('3.7', [SETTINGS, 'if (version === undefined) {', 'if (false) {']),
  gateway(
    '3.9',
    [SESSION, GREETING_CHECK, "if (!isGreeting && this.#state === 'greeting' && frame.type !== FrameType.Goaway) {"],
    [
      GATEWAY_SESSION,
      "this.session.advance('greeted');",
      "if (this.session.state === 'greeting') this.session.advance('greeted');",
    ],
  ),
  gateway('3.10', [DOCUMENTS, "if (typeof value !== 'string' || value.length > 256) throw", 'if (false) throw']),
  gateway('3.10', [DOCUMENTS, '|| value < 0 ||', '||']),
  gateway('3.11', [
    HUB,
    'const isSame = older.tunnelUid === newer.tunnelUid && older.instanceId === newer.instanceId;',
    'const isSame = false;',
  ]),
  gateway('3.11', [HUB, "&& older.session.session.state === 'open'", '']),
  gateway('3.13', [UNSETTLED, 'isUnseen ? unseen(waiting.error) : waiting.error', 'waiting.error']),
  gateway('3.13', [UNSETTLED, 'isUnseen ? unseen(waiting.error) : waiting.error', 'unseen(waiting.error)']),
  gateway(
    '3.13',
    [UNSETTLED, 'return isLost && streamId > session.streams.lastHeardId;', 'return isLost;'],
    [UNSETTLED, 'previous.lastStreamId >= lastHeardId &&', ''],
  ),
  gateway('3.13', [UNSETTLED, 'lost.tunnelUid !== by.tunnelUid || lost.instanceId !== by.instanceId', 'false']),
  gateway('2.13', [HEAD, 'if (!isStatus(status)) throw new ProtocolError', 'if (false) throw new ProtocolError']),
  gateway('2.13', [HEAD, 'if (lines > MAX_HEADER_LINES) throw', 'if (false) throw']),
];
