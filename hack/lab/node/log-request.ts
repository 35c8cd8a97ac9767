import type { Writable } from 'node:stream';
import type { ContainerLog, LogLine } from './container-log.ts';

/** Which lines of a log are wanted, as /containerLogs names it. */
export interface LogQuery {
  readonly follow: boolean;
  readonly previous: boolean;
  readonly timestamps: boolean;
  readonly tailLines: number | undefined;
  /** RFC 3339: nothing older. */
  readonly since: string | undefined;
  readonly limitBytes: number | undefined;
}

export function logQuery(query: URLSearchParams, nowMs = Date.now()): LogQuery {
  const number = (name: string): number | undefined => (query.has(name) ? Number(query.get(name)) : undefined);
  const sinceSeconds = number('sinceSeconds');
  const sinceTime = query.get('sinceTime');
  const sinceMs =
    sinceSeconds !== undefined ? nowMs - sinceSeconds * 1000 : sinceTime !== null ? Date.parse(sinceTime) : undefined;
  return {
    follow: query.get('follow') === 'true',
    previous: query.get('previous') === 'true',
    timestamps: query.get('timestamps') === 'true',
    tailLines: number('tailLines'),
    since: sinceMs === undefined ? undefined : new Date(sinceMs).toISOString(),
    limitBytes: number('limitBytes'),
  };
}

/** The wanted ones of the lines so far, as text. */
export function selectLines(lines: readonly LogLine[], query: LogQuery): string {
  const { since, tailLines, limitBytes } = query;
  const recent = since === undefined ? lines : lines.filter(({ time }) => time >= since);
  const tail = tailLines === undefined ? recent : recent.slice(Math.max(recent.length - tailLines, 0));
  const text = tail.map((line) => lineText(line, query)).join('');
  return limitBytes === undefined ? text : Buffer.from(text).subarray(0, limitBytes).toString('utf8');
}

export function serveLog(log: ContainerLog, query: LogQuery, to: Writable): void {
  to.write(selectLines(log.read(), query));
}

/** Sends what is appended from now on, until the container ends or the reader leaves. A reader that stands still is left behind. */
export function followFrom(log: ContainerLog, query: LogQuery, to: Writable): void {
  const leave = log.follow((line) => {
    if (line === undefined) to.end();
    else if (to.writableLength > MAX_BEHIND_BYTES) to.destroy();
    else to.write(lineText(line, query));
  });
  to.on('close', leave);
  to.on('error', leave);
}

const MAX_BEHIND_BYTES = 4 * 1024 * 1024;

function lineText({ time, text }: LogLine, { timestamps }: LogQuery): string {
  return timestamps ? `${time} ${text}\n` : `${text}\n`;
}
