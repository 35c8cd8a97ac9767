import type { Mutant } from './mutant.ts';
import { type Change, without } from './without.ts';

const AGENT = 'agent/agent.ts';
const DIALER = 'agent/dialer.ts';
const FORWARD = 'upstream/forward.ts';
const HEALTH = 'agent/health.ts';
const LIMITS = 'agent/limits.ts';
const TROUBLE = 'upstream/upstream-trouble.ts';
const SETTINGS = 'crds/agent-settings.ts';
const ABUSE = 'tunnel/flow/abuse.ts';
const AGENT_SESSION = 'tunnel/session/agent-session.ts';
const KEEPALIVE = 'tunnel/session/keepalive.ts';
const SESSION = 'tunnel/session/session.ts';
const STREAM = 'tunnel/session/stream.ts';
const STREAMS = 'tunnel/session/streams.ts';

const agent = (rule: string, ...changes: readonly Change[]) => without('agent', rule, ...changes);
/** A budget that nobody overdraws. */
const unlimited = (rule: string, kind: string, burst: string) =>
  agent(rule, [ABUSE, `${kind}: { burst: ${burst},`, `${kind}: { burst: 1_000_000,`]);
/** A budget that honest peers overdraw. */
const meagre = (rule: string, kind: string, burst: string) =>
  agent(rule, [ABUSE, `${kind}: { burst: ${burst},`, `${kind}: { burst: 5,`]);

/** §7 to §11. */
export const agentLifeMutants: readonly Mutant[] = [
  // The slot comes back, the request runs on.
  agent('7.2', [FORWARD, 'if (!this.#isOver || !this.#isBodyWhole) return abort();', 'return this.#finish();']),
  agent('7.2', [FORWARD, 'if (!this.#isOver || !this.#isBodyWhole) return abort();', 'return;']),
  agent('7.3', [
    STREAM,
    'this.#events?.onError(error);',
    "this.#port.control(encode({ type: FrameType.Reset, streamId: this.id, code: error.code, detail: '' }));\n    this.#events?.onError(error);",
  ]),
  agent('7.4', [TROUBLE, 'isUnsent: false', 'isUnsent: true']),
  agent('7.7', [AGENT_SESSION, 'if (!this.session.admits(streamId)) return', 'if (false) return']),
  agent('7.7', [
    DIALER,
    "session.drain(ErrorCode.Draining, 'the agent stops')",
    "session.close(ErrorCode.Draining, 'the agent stops')",
  ]),
  agent('7.8', [SESSION, '#closeIfDrained(): void {', '#closeIfDrained(): void {\n    if (true) return;']),
  agent('7.9', [DIALER, 'if (session !== this.#current) return;', 'if (true) return;']),
  agent('7.9', [DIALER, 'const mayFollowAtOnce =', 'const mayFollowAtOnce = false &&']),
  agent('7.10', [
    DIALER,
    "if (next === 'connecting') void this.#dial();",
    "if (next === 'connecting') void [this.#dial(), this.#dial()];",
  ]),

  agent('7.11', [
    'tunnel/wire/documents.ts',
    "lastStreamId: countIn(document, 'lastStreamId'),\n    code: countIn(document, 'code'),\n    reason: textIn(document, 'reason'),",
    "lastStreamId: 2 ** 31 - 1,\n    code: 0,\n    reason: '',",
  ]),
  agent('8.2', [LIMITS, "if (isSameTunnel && settings.generation < this.#current.generation) return 'outdated';", '']),
  agent('8.2', [LIMITS, 'if (isSameTunnel && settings', 'if (settings']),
  // What is wrong is taken for 1.
  agent('8.3', [SETTINGS, 'throw new TypeError(`agent settings:', 'return void String(`agent settings:']),
  agent('8.4', [AGENT, 'onReady: () => health.report(),', 'onReady: () => {},']),
  agent('8.4', [HEALTH, 'if (isChanged) this.report();', '']),
  agent('8.4', [HEALTH, 'this.#cancelRepeat = clock.after(REPORT_EVERY_MS, () => this.report());', '']),

  agent('9.1', [
    KEEPALIVE,
    'the timer that stop() cancels.\n    this.#arm();\n    this.#ping();',
    'the timer that stop() cancels.\n    this.#arm();',
  ]),
  agent('9.1', [
    KEEPALIVE,
    'start(): void {\n    this.#arm();\n    this.#ping();',
    'start(): void {\n    this.#arm();',
  ]),
  agent('9.2', [SESSION, '{ type: FrameType.Pong, token: frame.token }', '{ type: FrameType.Pong, token: 0 }']),
  agent('9.3', [KEEPALIVE, 'const SILENT_INTERVALS = 3;', 'const SILENT_INTERVALS = 30;']),
  agent('9.3', [SESSION, 'onBytes: () => this.vitals.heard(),', 'onBytes: () => {},']),
  agent('9.4', [
    KEEPALIVE,
    'if (token !== this.#token || this.#sentMs === undefined) return;',
    'if (token !== this.#token || this.#sentMs === undefined) return this.#options.onSilent(0);',
  ]),

  unlimited('10.1', 'ping', '20'),
  meagre('10.1', 'ping', '20'),
  agent('10.1', [ABUSE, 'ping: { burst: 20, perSecond: 1 }', 'ping: { burst: 20, perSecond: 0 }']),
  unlimited('10.2', 'pong', '20'),
  meagre('10.2', 'pong', '20'),
  unlimited('10.3', 'smallWindow', '100'),
  meagre('10.3', 'smallWindow', '100'),
  unlimited('10.4', 'emptyData', '100'),
  meagre('10.4', 'emptyData', '100'),
  unlimited('10.6', 'refusedOpen', '5_000'),
  meagre('10.6', 'refusedOpen', '5_000'),
  unlimited('10.7', 'unknownType', '1_000'),
  meagre('10.7', 'unknownType', '1_000'),
  unlimited('10.9', 'config', '100'),
  meagre('10.9', 'config', '100'),
  unlimited('10.10', 'goaway', '10'),
  meagre('10.10', 'goaway', '10'),

  agent('11.2', [
    STREAMS,
    'case FrameType.Reset:\n',
    "case FrameType.Reset:\n        if (frame.code > 21) throw new ProtocolError('an unknown code');\n",
  ]),
  agent('11.2', [
    SESSION,
    '#receiveGoaway(goaway: Goaway): void {',
    "#receiveGoaway(goaway: Goaway): void {\n    if (goaway.code > 21) throw new ProtocolError('an unknown code');",
  ]),
];
