import type { Logger } from './log.ts';

export interface ShutdownOptions {
  /** Drains and closes; gets an aborted signal when the deadline passed. */
  readonly drain: (signal: AbortSignal) => Promise<void>;
  /** Asked when the signal comes: it may follow live settings. */
  readonly deadlineMs: () => number;
  readonly log: Logger;
}

/**
 * Runs `drain` once on SIGTERM or SIGINT, then exits: 0 when it finished in time, 1 otherwise.
 * A second signal exits at once. An error nobody handled is our bug: logged, exit 1.
 */
export function exitOnSignals({ drain, deadlineMs: deadlineNowMs, log }: ShutdownOptions): void {
  let isStopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (isStopping) process.exit(1);
    isStopping = true;
    const deadlineMs = deadlineNowMs();
    log.info('shutting down', { signal, deadlineMs });
    const deadline = AbortSignal.timeout(deadlineMs);
    const late = new Promise<never>((_, reject) =>
      deadline.addEventListener('abort', () => reject(new Error(`not drained within ${deadlineMs} ms`))),
    );
    Promise.race([drain(deadline), late]).then(
      () => process.exit(0),
      (error: unknown) => {
        log.error('shutdown failed', { error });
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      log.error('unhandled error', { error, stack: error instanceof Error ? error.stack : undefined });
      process.exit(1);
    });
  }
}
