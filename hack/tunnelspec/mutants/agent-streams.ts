import type { Mutant } from './mutant.ts';
import { type Change, without } from './without.ts';

const DEADLINE = 'upstream/request-deadline.ts';
const POLICY = 'upstream/policy.ts';
const OUTGOING = 'upstream/outgoing-headers.ts';
const UPGRADE = 'upstream/upgrade.ts';
const WORKER_POOL = 'agent/worker-pool.ts';
const BUDGET = 'tunnel/flow/budget.ts';
const AGENT_SESSION = 'tunnel/session/agent-session.ts';
const HALF = 'tunnel/session/half.ts';
const OUTBOX = 'tunnel/session/outbox.ts';
const STREAM = 'tunnel/session/stream.ts';
const STREAMS = 'tunnel/session/streams.ts';

const agent = (rule: string, ...changes: readonly Change[]) => without('agent', rule, ...changes);

/** §4. */
export const agentStreamMutants: readonly Mutant[] = [
  agent('4.2', [STREAMS, 'if (id <= this.#lastId) throw', 'if (false) throw']),
  agent('4.2', [STREAMS, 'if (id <= this.#lastId) throw', 'if (id < this.#lastId) throw']),
  agent('4.4', [WORKER_POOL, "if (job.state === 'running') this.#running -= 1;", '']),
  agent('4.4', [WORKER_POOL, 'this.#spend(announce);\n    this.#grant();', 'this.#spend(announce);']),
  agent('4.5', [STREAMS, 'if (frame.streamId > this.#lastId) throw', 'if (false) throw']),
  agent('4.6', [
    STREAMS,
    'if (stream === undefined) return;',
    "if (stream === undefined) throw new ProtocolError('gone');",
  ]),
  agent('4.7', [HALF, "ended: { reset: 'reset' },", "ended: { data: 'ended', end: 'ended', reset: 'reset' },"]),
  // Who has said all he has to is not listened to any more.
  agent('4.10', [
    STREAM,
    "this.#sending === 'ended' && this.#receiving === 'ended' &&",
    "this.#sending === 'ended' &&",
  ]),
  agent('4.11', [
    OUTBOX,
    'this.#queue.push(chunk);',
    'if (this.#queue[0] instanceof Uint8Array) this.#queue.unshift(chunk);\n    else this.#queue.push(chunk);',
  ]),
  agent('4.12', [STREAM, 'if (trailers.length > 0) {', 'if (false) {']),
  agent('4.12', [STREAMS, 'return stream.receiveEnd(frame.trailers);', 'return;']),
  agent('4.13', [UPGRADE, 'if (firstBytes.length > 0) this.#events.onData(firstBytes);', '']),
  agent('4.13', [UPGRADE, 'this.socket.end();', 'this.socket.destroy();']),
  agent('4.13', [UPGRADE, 'allowHalfOpen: true,', 'allowHalfOpen: false,']),
  agent('4.14', [POLICY, 'identityDenial(identity, access)\n', 'undefined\n']),
  agent('4.14', [POLICY, ' && group !== AUTHENTICATED', '']),
  agent('4.15', [BUDGET, 'if (this.usedBytes + INITIAL_WINDOW_BYTES > this.#limitBytes) return false;', '']),
  agent('4.15', [
    AGENT_SESSION,
    'if (this.session.streams.size >= this.session.settings.maxStreams) {',
    'if (false) {',
  ]),
  agent('4.15', [AGENT_SESSION, 'this.announce({', 'if (false) this.announce({']),
  agent('4.16', [DEADLINE, 'requestMs : Math.min(deadlineMs, requestMs)', 'requestMs : requestMs']),
  agent('4.16', [DEADLINE, 'undefined : deadlineMs', 'undefined : undefined']),
  agent('4.17', [AGENT_SESSION, 'return this.#features.includes(name) &&', 'return']),
  agent('4.20', [
    AGENT_SESSION,
    'if (head.identity?.extras !== undefined && !this.hasFeature(EXTRAS)) {',
    'if (false) {',
  ]),
  agent('4.22', [POLICY, 'if (!access.extras.includes(key)) return', 'if (false) return']),
  agent('4.22', [POLICY, 'if (!canPassAsExtra(key)) return', 'if (false) return']),
  agent('4.22', [POLICY, 'if (!values.every((value) => HEADER_SAFE.test(value)))', 'if (false)']),
  agent('4.23', [OUTGOING, "'%$&'", "'_$&'"]),
  agent('4.23', [OUTGOING, 'for (const value of values)', 'for (const value of values.slice(0, 1))']),
];
