import type { Mutant } from './mutant.ts';
import { type Change, without } from './without.ts';

const EXCHANGE = 'operator/gateway/sessions/exchange.ts';
const UPGRADE = 'operator/gateway/sessions/upgrade.ts';
const HUB = 'operator/gateway/sessions/hub.ts';
const ABUSE = 'tunnel/flow/abuse.ts';
const GATEWAY_SESSION = 'tunnel/session/gateway-session.ts';
const KEEPALIVE = 'tunnel/session/keepalive.ts';
const SESSION = 'tunnel/session/session.ts';
const SETTINGS = 'tunnel/session/settings.ts';
const STREAM = 'tunnel/session/stream.ts';
const STREAMS = 'tunnel/session/streams.ts';
const VITALS = 'tunnel/session/vitals.ts';

const gateway = (rule: string, ...changes: readonly Change[]) => without('gateway', rule, ...changes);
/** A budget that nobody overdraws. */
const unlimited = (rule: string, kind: string, burst: string) =>
  gateway(rule, [ABUSE, `${kind}: { burst: ${burst},`, `${kind}: { burst: 1_000_000,`]);

/** §7 to §11. */
export const gatewayLifeMutants: readonly Mutant[] = [
  gateway('7.1', [EXCHANGE, "this.#finish('cancelled');", "this.#finish('cancelled');\n    if (true) return;"]),
  gateway('7.1', [UPGRADE, "this.#finish('cancelled');", "this.#finish('cancelled');\n    if (true) return;"]),
  gateway('7.3', [
    STREAM,
    'this.#events?.onError(error);',
    "this.#port.control(encode({ type: FrameType.Reset, streamId: this.id, code: error.code, detail: '' }));\n    this.#events?.onError(error);",
  ]),
  gateway('7.5', [STREAMS, 'if (stream.hasAnswer) throw', 'if (false) throw']),
  gateway('7.6', [GATEWAY_SESSION, "return this.session.state === 'open';", "return this.session.state !== 'closed';"]),
  gateway('7.6', [GATEWAY_SESSION, 'this.session.streams.failBeyond(goaway.lastStreamId, goaway.reason);', '']),
  gateway('7.6', [STREAMS, "stream.hasAnswer ? 'unknown' : 'not-executed'", "'not-executed'"]),
  gateway('7.8', [SESSION, '#closeIfDrained(): void {', '#closeIfDrained(): void {\n    if (true) return;']),

  gateway('7.11', [
    'tunnel/wire/documents.ts',
    "lastStreamId: countIn(document, 'lastStreamId'),\n    code: countIn(document, 'code'),\n    reason: textIn(document, 'reason'),",
    "lastStreamId: 2 ** 31 - 1,\n    code: 0,\n    reason: '',",
  ]),
  gateway('8.1', [HUB, 'this.#configure(session, view);', '']),
  gateway('8.5', [
    'crds/health-report.ts',
    "return typeof value === 'string' ? value.slice(0, MAX_HEALTH_TEXT) : '';",
    'return (value as string).slice(0, MAX_HEALTH_TEXT);',
  ]),

  gateway('9.1', [
    KEEPALIVE,
    'the timer that stop() cancels.\n    this.#arm();\n    this.#ping();',
    'the timer that stop() cancels.\n    this.#arm();',
  ]),
  gateway('9.1', [
    KEEPALIVE,
    'start(): void {\n    this.#arm();\n    this.#ping();',
    'start(): void {\n    this.#arm();',
  ]),
  gateway('9.2', [SESSION, '{ type: FrameType.Pong, token: frame.token }', '{ type: FrameType.Pong, token: 0 }']),
  gateway('9.3', [KEEPALIVE, 'const SILENT_INTERVALS = 3;', 'const SILENT_INTERVALS = 30;']),
  gateway('9.3', [SESSION, 'onBytes: () => this.vitals.heard(),', 'onBytes: () => {},']),
  gateway(
    '9.4',
    [
      KEEPALIVE,
      'pong(token: number): void {\n    if (token !== this.#token || this.#sentMs === undefined) return;',
      'pong(token: number): boolean | void {\n    if (token !== this.#token || this.#sentMs === undefined) return true;',
    ],
    [VITALS, 'this.#keepalive.pong(token);', 'return this.#keepalive.pong(token);'],
    [
      SESSION,
      'return this.vitals.pong(frame.token);',
      "if (this.vitals.pong(frame.token)) throw new ProtocolError('a PONG that nobody asked for');\n        return;",
    ],
  ),

  unlimited('10.1', 'ping', '20'),
  gateway('10.1', [ABUSE, 'ping: { burst: 20, perSecond: 1 }', 'ping: { burst: 20, perSecond: 0 }']),
  unlimited('10.2', 'pong', '20'),
  unlimited('10.3', 'smallWindow', '100'),
  unlimited('10.4', 'emptyData', '100'),
  unlimited('10.5', 'informational', '1_000'),
  unlimited('10.7', 'unknownType', '1_000'),
  unlimited('10.8', 'health', '20'),
  unlimited('10.10', 'goaway', '10'),
  gateway('10.11', [GATEWAY_SESSION, 'if (most > MAX_FREE_SLOTS)', 'if (false)']),
  gateway('10.12', [GATEWAY_SESSION, 'if (ordinary + longRunning === 0) throw', 'if (false) throw']),

  gateway('11.1', [
    SETTINGS,
    'if (version === undefined) {',
    'if (version === undefined || features.some((each) => !FEATURES.includes(each))) {',
  ]),
  gateway('11.2', [
    STREAMS,
    'case FrameType.Reset:',
    "case FrameType.Reset:\n        if (frame.code > 21) throw new ProtocolError('an unknown code');",
  ]),
  gateway('11.2', [
    STREAMS,
    'case FrameType.Refused:',
    "case FrameType.Refused:\n        if (frame.code > 21) throw new ProtocolError('an unknown code');",
  ]),
];
