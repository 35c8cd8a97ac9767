import { queryOf } from './request-info.ts';

/** Milliseconds of each unit of Go's time.ParseDuration. */
const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};
const DURATION = /^[+-]?(?:0|(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)$/;
const PART = /([0-9]*\.?[0-9]*)(ns|us|µs|μs|ms|s|m|h)/g;
/** What an int64 of nanoseconds holds. */
const MOST_MS = 2 ** 63 / 1e6;

/**
 * How long an ordinary request may take by its own word (`?timeout=30s`), in ms; undefined: as long as the server lets it,
 * which is also what 0 and less mean. A text: why the word is none.
 * Source: k8s.io/apiserver pkg/endpoints/filters/request_deadline.go (v0.36).
 */
export function requestTimeoutMs(path: string): number | string | undefined {
  const at = path.indexOf('?');
  const text = at < 0 ? '' : (queryOf(path.slice(at + 1)).get('timeout') ?? '');
  if (text === '') return undefined;
  const ms = durationMs(text);
  if (ms === undefined) {
    return `invalid timeout specified in the request URL - time: invalid duration ${JSON.stringify(text.slice(0, 64))}`;
  }
  return ms > 0 ? ms : undefined;
}

/** As Go's time.ParseDuration; undefined for what is none. */
function durationMs(text: string): number | undefined {
  if (text.length > 256 || !DURATION.test(text)) return undefined;
  let ms = 0;
  for (const [, count = '', unit = ''] of text.matchAll(PART)) ms += Number(count) * (UNIT_MS[unit] ?? 0);
  if (ms >= MOST_MS) return undefined;
  return text.startsWith('-') ? -ms : ms;
}
