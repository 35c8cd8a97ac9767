import type { Execution, Fault } from './history.ts';

/** What the upstream writes down, as it happens. `key`: of one request that it received. */
export type UpstreamLine =
  | ({ readonly event: 'began'; readonly key: string } & Omit<Execution, 'body' | 'endedMs' | 'isWhole'>)
  | { readonly event: 'body'; readonly key: string; readonly bytes: number; readonly isIntact: boolean }
  | { readonly event: 'ended'; readonly key: string; readonly atMs: number; readonly isWhole: boolean };

type Growing = { -readonly [Key in keyof Execution]: Execution[Key] };

/** Puts together what belongs together. A killed upstream ends all that it had begun. */
export function executionsFrom(lines: readonly UpstreamLine[], faults: readonly Fault[]): Execution[] {
  const byKey = new Map<string, Growing>();
  for (const line of lines) {
    if (line.event === 'began') {
      const { event: _event, key, ...rest } = line;
      byKey.set(key, { ...rest, body: undefined, endedMs: undefined, isWhole: false });
      continue;
    }
    const execution = byKey.get(line.key);
    if (execution === undefined) continue;
    if (line.event === 'body') {
      execution.body = { bytes: line.bytes, isIntact: line.isIntact };
      continue;
    }
    execution.endedMs = line.atMs;
    execution.isWhole = line.isWhole;
  }
  const kills = faults.filter(({ kind }) => kind === 'upstream').map(({ atMs }) => atMs);
  for (const execution of byKey.values()) {
    execution.endedMs ??= kills.find((atMs) => atMs >= execution.beganMs);
  }
  return [...byKey.values()];
}

/** The faults that hit while the target had begun a POST that came through their agent, and not ended its answer. */
export function faultsUnderPosts(executions: readonly Execution[], faults: readonly Fault[]): Fault[] {
  const posts = executions.filter(({ method }) => method === 'POST');
  return faults.filter(({ atMs, agent }) =>
    posts.some(
      ({ beganMs, endedMs = Number.POSITIVE_INFINITY, agent: its }) =>
        (agent === undefined || agent === its) && beganMs < atMs && endedMs >= atMs,
    ),
  );
}
