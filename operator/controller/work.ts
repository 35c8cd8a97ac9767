import { pause } from '../../process/clock.ts';
import type { Logger } from '../../process/log.ts';
import { isConflict, isTerminal } from '../kube/errors.ts';
import type { Caches } from './caches.ts';
import type { Clusters } from './clusters/clusters.ts';
import { publishGateway } from './objects/publish.ts';
import { type ReconcileDeps, reconcile } from './reconcile.ts';
import type { ReconcileResult } from './reconcile-result.ts';
import type { Workqueue } from './workqueue.ts';

/** They mostly wait for API servers: as many of them may be slow, or dead, at once before another tunnel has to wait. */
const WORKERS = 64;
/** No reconcile takes longer: the API server is slow, and another tunnel wants the worker. */
const RECONCILE_TIMEOUT_MS = 60_000;
const PUBLISH_INTERVAL_MS = 600_000;
const PUBLISH_RETRY_MS = 5_000;

/** Hooks for metrics; all optional. */
export interface WorkObserver {
  reconciled?(outcome: 'success' | 'requeue_after' | 'error' | 'terminal', durationMs: number): void;
  active?(workers: number): void;
}

export interface Work {
  readonly queue: Workqueue;
  readonly caches: Caches;
  readonly clusters: Pick<Clusters, 'keep'>;
  readonly reconcile: ReconcileDeps;
  readonly observer: WorkObserver;
  readonly log: Logger;
}

/** What a leader does until the signal aborts: every tunnel once, then whatever the queue hands out. */
export async function runWorkers(work: Work, signal: AbortSignal): Promise<void> {
  for (const { metadata } of work.caches.tunnels.list()) {
    // What failed in an earlier term waits no longer.
    work.queue.forget(metadata.name);
    work.queue.add(metadata.name);
  }
  await Promise.all([keepPublishing(work, signal), keepWorking(work, signal)]);
}

/** Takes names as long as a worker is free. Resolves when the signal has aborted and the last worker is done. */
async function keepWorking(work: Work, signal: AbortSignal): Promise<void> {
  const busy = new Set<Promise<void>>();
  for (let name = await work.queue.take(signal); name !== undefined; name = await work.queue.take(signal)) {
    const worker: Promise<void> = one(work, name, signal).then(() => {
      busy.delete(worker);
      work.observer.active?.(busy.size);
    });
    busy.add(worker);
    work.observer.active?.(busy.size);
    if (busy.size >= WORKERS) await Promise.race(busy);
  }
  await Promise.all(busy);
}

/** One name, whatever happens: its failure is its own. */
async function one(work: Work, name: string, signal: AbortSignal): Promise<void> {
  const { queue, clusters, caches, observer, log } = work;
  const { clock } = work.reconcile;
  const startedMs = clock.nowMs();
  const late = new AbortController();
  const cancel = clock.after(RECONCILE_TIMEOUT_MS, () => late.abort(new Error('the reconcile took too long')));
  try {
    clusters.keep(caches.tunnels.list());
    const result = await reconcile(work.reconcile, name, AbortSignal.any([signal, late.signal]));
    schedule(queue, name, result);
    observer.reconciled?.(outcomeOf(result), clock.nowMs() - startedMs);
  } catch (error) {
    if (signal.aborted) return;
    observer.reconciled?.(isTerminal(error) ? 'terminal' : 'error', clock.nowMs() - startedMs);
    // A conflict is a cache that lags behind: the next round sees the newer object.
    if (!isConflict(error)) log.error('reconcile failed', { tunnel: name, error });
    queue.addRateLimited(name);
  } finally {
    cancel();
    queue.done(name);
  }
}

function schedule(queue: Workqueue, name: string, { requeueAfterMs, retryWithinMs }: ReconcileResult): void {
  if (retryWithinMs === undefined) queue.forget(name);
  else queue.addRateLimited(name, retryWithinMs);
  // Of two appointments the earlier one stands.
  if (requeueAfterMs !== undefined) queue.addAfter(name, requeueAfterMs);
}

function outcomeOf({ requeueAfterMs, retryWithinMs }: ReconcileResult) {
  if (retryWithinMs !== undefined) return 'error';
  return requeueAfterMs === undefined ? 'success' : 'requeue_after';
}

async function keepPublishing({ reconcile: deps, log }: Work, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    let delayMs = PUBLISH_INTERVAL_MS;
    try {
      await publishGateway(deps.client, deps.namespace, deps.gateway(), signal);
    } catch (error) {
      if (signal.aborted) return;
      log.warn('gateway facts not published', { error });
      delayMs = PUBLISH_RETRY_MS;
    }
    // Rejects only when stopped; the loop's condition sees that.
    await pause(deps.clock, delayMs, signal).catch(() => {});
  }
}
