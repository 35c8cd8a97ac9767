import type { Mutant } from './mutant.ts';
import { type Change, without } from './without.ts';

const EXCHANGE = 'operator/gateway/sessions/exchange.ts';
const SEND_WINDOW = 'tunnel/flow/send-window.ts';
const RECEIVE_WINDOW = 'tunnel/flow/receive-window.ts';
const LANES = 'tunnel/flow/lanes.ts';
const OUTBOX = 'tunnel/session/outbox.ts';
const WRITER = 'tunnel/session/writer.ts';
const DECODE = 'tunnel/wire/decode.ts';

const gateway = (rule: string, ...changes: readonly Change[]) => without('gateway', rule, ...changes);

/** §5 and §6. */
export const gatewayFlowMutants: readonly Mutant[] = [
  gateway('5.1', [SEND_WINDOW, '#availableBytes = INITIAL_WINDOW_BYTES;', '#availableBytes = 2 ** 30;']),
  gateway('5.2', [RECEIVE_WINDOW, 'if (bytes > this.#advertisedBytes) return false;', '']),
  gateway('5.3', [
    EXCHANGE,
    'if (writeBody(response, chunk)) this.#settle();',
    'writeBody(response, chunk);\n    this.#settle();',
  ]),
  gateway('5.4', [DECODE, 'if (creditBytes === 0 || creditBytes > MAX_WINDOW_BYTES) {', 'if (false) {']),
  gateway('5.4', [SEND_WINDOW, 'if (this.#availableBytes + bytes > MAX_WINDOW_BYTES) return false;', '']),
  // Who has no credit stays in front of the others.
  gateway(
    '5.5',
    [LANES, 'if (place.isQueued || !sender.isReady) return;', 'if (place.isQueued) return;'],
    [LANES, 'if (!sender.isReady) {', 'if (!sender.isReady) return undefined;\n      if (false) {'],
  ),
  gateway('5.6', [
    OUTBOX,
    'if (first === undefined) return this.#isEndQueued;',
    'if (first === undefined) return this.#isEndQueued && this.window.availableBytes > 0;',
  ]),
  gateway('5.6', [OUTBOX, 'return !(first instanceof Uint8Array) ||', 'return']),

  gateway('6.1', [
    WRITER,
    'this.#nextControl() ?? this.#lanes.next(nowMs);',
    'this.#lanes.next(nowMs) ?? this.#nextControl();',
  ]),
  gateway('6.2', [LANES, 'const INTERACTIVE_WEIGHT = 8;', 'const INTERACTIVE_WEIGHT = 1;']),
  gateway('6.2', [LANES, 'const INTERACTIVE_WEIGHT = 8;', 'const INTERACTIVE_WEIGHT = 1_000;']),
  // One frame each in turn, whatever its size.
  gateway('6.3', [LANES, 'if (sender.isReady && !isSpent && !isMisplaced) return;', '']),
];
