import type { BrokenPathOptions } from '../broken-path.ts';
import type { FaultCase, Told } from '../fault-stage.ts';
import type { CrossedPath, Levels } from './crossed-path.ts';

/** How one limit is crossed, and what that is like for everybody. */
export interface Crossing {
  /** As users write it. */
  readonly limit: string;
  readonly how: string;
  readonly options?: BrokenPathOptions | undefined;
  /** Crosses it, and notes the metrics meanwhile. Resolves with what clients saw. */
  readonly cross: (path: CrossedPath) => Promise<unknown>;
  readonly sees: unknown;
  /** What the metrics tell while it is crossed. */
  readonly meanwhile?: Levels;
  /** Series that may be anything from 1 to this. */
  readonly atMost?: Levels;
  /** What the metrics count when all is over. */
  readonly counted: Levels;
}

/** What is at rest when nobody asks for anything and no agent is there. */
export const NOTHING: Levels = Object.fromEntries(
  [
    ...['sessions', 'sessions_greeting', 'connections', 'streams', 'requests_in_flight', 'requests_waiting'],
    ...['requests_unsettled', 'fallback_requests_in_flight', 'queue_depth{tunnel="c1"}'],
    ...['queued_bytes', 'buffered_bytes', 'budget_bytes', 'cache_bytes'],
    ...['agent_sessions', 'agent_buffered_bytes'],
    ...['agent_workers_busy{pool="ordinary"}', 'agent_workers_busy{pool="longRunning"}'],
    ...['agent_workers_queued{pool="ordinary"}', 'agent_workers_queued{pool="longRunning"}'],
  ].map((series) => [`clustertunnel_${series}`, 0]),
);

/** What a client is told who is refused. */
export interface Refusal {
  readonly status: number;
  readonly reason: string;
  readonly code: string;
  readonly hop: string;
  /** In seconds; undefined: not to be sent again. */
  readonly retryAfter: string | undefined;
  readonly message: string;
}

/** What a refusal says. */
export function refusal({ status, headers, text }: Told): Refusal {
  const { reason, details } = JSON.parse(text);
  const [{ reason: code, field: hop, message }] = details.causes;
  const retryAfter = headers['retry-after'] as string | undefined;
  return {
    status,
    reason,
    code,
    hop,
    retryAfter,
    message: message.replace(/https:\/\/127\.0\.0\.1:\d+/, 'https://target'),
  };
}

/** The case of a table of faults, for a limit: crossed over HTTP/2. */
export function fault(
  cases: readonly FaultCase[],
  { kind, what }: Pick<FaultCase, 'kind'> & { readonly what: RegExp },
): Pick<Crossing, 'how' | 'options' | 'cross'> {
  const found = cases.find((each) => each.kind === kind && what.test(each.what));
  if (found === undefined) throw new RangeError(`no case of ${kind} is ${what}`);
  const { question, provoke = (_, ask) => ask() } = found;
  return {
    how: found.what,
    options: found.options,
    cross: async (path) => {
      const ask = async () => {
        const told = await path.stage.ask('h2', question);
        await path.note();
        return told;
      };
      return refusal(await provoke(path.stage, ask, 'h2'));
    },
  };
}
