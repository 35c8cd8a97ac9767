import type { Mutant } from './mutant.ts';
import { type Change, without } from './without.ts';

const FORWARD = 'upstream/forward.ts';
const REQUEST_BODY = 'upstream/request-body.ts';
const LANES = 'tunnel/flow/lanes.ts';
const RECEIVE_WINDOW = 'tunnel/flow/receive-window.ts';
const SEND_WINDOW = 'tunnel/flow/send-window.ts';
const OUTBOX = 'tunnel/session/outbox.ts';
const WRITER = 'tunnel/session/writer.ts';
const DECODE = 'tunnel/wire/decode.ts';

const agent = (rule: string, ...changes: readonly Change[]) => without('agent', rule, ...changes);

/** §5 and §6. */
export const agentFlowMutants: readonly Mutant[] = [
  agent('5.1', [SEND_WINDOW, 'this.#availableBytes -= bytes;', '']),
  agent('5.1', [SEND_WINDOW, '#availableBytes = INITIAL_WINDOW_BYTES;', '#availableBytes = INITIAL_WINDOW_BYTES + 1;']),
  agent('5.2', [RECEIVE_WINDOW, 'if (bytes > this.#advertisedBytes) return false;', '']),
  // Given back when it comes, and nothing when it is taken.
  agent(
    '5.3',
    [REQUEST_BODY, 'this.#consume = consume;', 'this.#consume = () => {};\n    (this as any).arrived = consume;'],
    [
      REQUEST_BODY,
      'this.#owedBytes += chunk.length;',
      'this.#owedBytes += chunk.length;\n    (this as any).arrived(chunk.length);',
    ],
  ),
  agent('5.3', [REQUEST_BODY, 'this.#consume = consume;', 'this.#consume = () => {};']),
  agent('5.4', [DECODE, 'if (creditBytes === 0 || creditBytes > MAX_WINDOW_BYTES) {', 'if (false) {']),
  agent('5.4', [SEND_WINDOW, 'if (this.#availableBytes + bytes > MAX_WINDOW_BYTES) return false;', '']),
  // Who has no credit stays in front of the others.
  agent(
    '5.5',
    [LANES, 'if (place.isQueued || !sender.isReady) return;', 'if (place.isQueued) return;'],
    [LANES, 'if (!sender.isReady) {', 'if (!sender.isReady) return undefined;\n      if (false) {'],
  ),
  agent('5.6', [
    OUTBOX,
    'if (first === undefined) return this.#isEndQueued;',
    'if (first === undefined) return this.#isEndQueued && this.window.availableBytes > 0;',
  ]),
  agent('5.6', [OUTBOX, 'return !(first instanceof Uint8Array) ||', 'return']),
  agent('5.7', [
    FORWARD,
    'if (!head.isLongRunning) this.#giveUp(ErrorCode.Backpressure',
    'if (false) this.#giveUp(ErrorCode.Backpressure',
  ]),
  agent(
    '5.7',
    [FORWARD, 'if (!head.isLongRunning) this.#giveUp(ErrorCode.Backpressure', 'this.#giveUp(ErrorCode.Backpressure'],
    [FORWARD, 'if (!head.isLongRunning) this.#stall.arm();', 'this.#stall.arm();'],
  ),

  agent('6.1', [
    WRITER,
    'this.#nextControl() ?? this.#lanes.next(nowMs);',
    'this.#lanes.next(nowMs) ?? this.#nextControl();',
  ]),
  agent('6.2', [LANES, 'const INTERACTIVE_WEIGHT = 8;', 'const INTERACTIVE_WEIGHT = 1;']),
  agent('6.2', [LANES, 'const INTERACTIVE_WEIGHT = 8;', 'const INTERACTIVE_WEIGHT = 1_000;']),
  // One frame each in turn, whatever its size.
  agent('6.3', [LANES, 'if (sender.isReady && !isSpent && !isMisplaced) return;', '']),
];
