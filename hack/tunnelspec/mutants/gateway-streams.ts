import type { Mutant } from './mutant.ts';
import { type Change, without } from './without.ts';

const IDENTITY = 'operator/gateway/front/identity.ts';
const EXCHANGE = 'operator/gateway/sessions/exchange.ts';
const UPGRADE = 'operator/gateway/sessions/upgrade.ts';
const GATEWAY_SESSION = 'tunnel/session/gateway-session.ts';
const STREAM = 'tunnel/session/stream.ts';
const STREAMS = 'tunnel/session/streams.ts';
const HALF = 'tunnel/session/half.ts';
const OUTBOX = 'tunnel/session/outbox.ts';
const INFLATER = 'tunnel/session/inflater.ts';
const INFLATED = 'tunnel/session/inflated-stream.ts';
const ENCODE = 'tunnel/wire/encode.ts';

const END_TOO_EARLY = "if (!this.#isHeadDone) return this.#failBoth('an end before the final head');";

const gateway = (rule: string, ...changes: readonly Change[]) => without('gateway', rule, ...changes);

/** §4. */
export const gatewayStreamMutants: readonly Mutant[] = [
  gateway(
    '4.1',
    [
      GATEWAY_SESSION,
      'const streamId = this.session.streams.lastId + 1;',
      'const { lastId } = this.session.streams;\n    const streamId = lastId === 2 ? 1 : lastId + 1;',
    ],
    [STREAMS, 'if (id <= this.#lastId) throw', 'if (false) throw'],
  ),
  gateway('4.3', [GATEWAY_SESSION, 'this.#free[pool] > 0 &&', '']),
  gateway('4.3', [GATEWAY_SESSION, 'this.#free[pool] > 0 &&', 'this.#free.ordinary + this.#free.longRunning > 0 &&']),
  gateway('4.5', [STREAMS, 'if (frame.streamId > this.#lastId) throw', 'if (false) throw']),
  gateway('4.6', [
    STREAMS,
    'if (stream === undefined) return;',
    "if (stream === undefined) throw new ProtocolError('gone');",
  ]),
  gateway('4.7', [HALF, "ended: { reset: 'reset' },", "ended: { data: 'ended', end: 'ended', reset: 'reset' },"]),
  gateway(
    '4.8',
    [STREAM, "if (!this.#isHeadDone) return this.#failBoth('a body before the final head');", ''],
    [EXCHANGE, "if (this.#status === undefined) return this.#broken('body bytes before its head');", ''],
  ),
  gateway('4.8', [STREAM, 'this.#isHeadDone = head.status >= FIRST_FINAL_STATUS ||', 'this.#isHeadDone = true ||']),
  gateway(
    '4.9',
    [STREAM, "if (this.#isHeadDone) return this.#failBoth('a head after the final head');", ''],
    [
      EXCHANGE,
      "if (this.#status !== undefined) return this.#broken('a second head');",
      'if (this.#status !== undefined) return;',
    ],
  ),
  gateway('4.10', [
    STREAM,
    END_TOO_EARLY,
    `${END_TOO_EARLY}\n    if (this.#sending === 'open') return this.#failBoth('an end before the end of the request');`,
  ]),
  gateway('4.11', [
    OUTBOX,
    'this.#queue.push(chunk);',
    'if (this.#queue[0] instanceof Uint8Array) this.#queue.unshift(chunk);\n    else this.#queue.push(chunk);',
  ]),
  gateway('4.12', [EXCHANGE, 'sendTrailers(response, answerTrailers(trailers));', '']),
  gateway('4.12', [EXCHANGE, 'stream.end(crossing(trailers));', 'stream.end();']),
  gateway('4.13', [UPGRADE, 'this.#hasClientEnded = true;', 'this.#stream?.reset(ErrorCode.Cancel);']),
  gateway('4.13', [UPGRADE, 'socket.allowHalfOpen = true;', '']),
  gateway('4.13', [ENCODE, '(head.isUpgrade ? Flag.Upgrade : 0)', '0']),
  gateway('4.17', [
    GATEWAY_SESSION,
    'if (frame.head.isDeflated && !this.#features.includes(DEFLATE)) {',
    'if (false) {',
  ]),
  gateway('4.18', [INFLATED, 'if (!isDeflated) return', 'if (!isDeflated || true) return']),
  gateway('4.18', [INFLATER, "if (!this.#isToldLast) return this.#fail('bytes follow its end');", '']),
  gateway(
    '4.19',
    [INFLATED, 'onSettled: (wireBytes) => this.#stream.consume(wireBytes),', 'onSettled: () => {},'],
    [
      INFLATED,
      ': this.#inflater.push(chunk)),',
      ': (this.#inflater.push(chunk), this.#stream.consume(chunk.length))),',
    ],
  ),
  gateway('4.20', [GATEWAY_SESSION, '|| this.#features.includes(EXTRAS)) return head;', '|| true) return head;']),
  gateway('4.21', [IDENTITY, 'extras.includes(key) && ', '']),
  gateway('4.21', [IDENTITY, ' && canPassAsExtra(key)', '']),
];
