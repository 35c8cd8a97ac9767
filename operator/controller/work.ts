import { pause } from '../../process/clock.ts';
import type { Logger } from '../../process/log.ts';
import { isConflict, isTerminal } from '../kube/errors.ts';
import type { AgentNamespaces } from './agent-namespaces.ts';
import type { Caches } from './caches.ts';
import { publishGateway } from './publish.ts';
import { type ReconcileDeps, type ReconcileResult, reconcile } from './reconcile.ts';
import type { Workqueue } from './workqueue.ts';

/** One slow tunnel never delays the others by more than a worker. */
const WORKERS = 4;
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
  readonly namespaces: AgentNamespaces;
  readonly reconcile: ReconcileDeps;
  readonly observer: WorkObserver;
  readonly log: Logger;
}

/** What a leader does until the signal aborts: every tunnel once, then whatever the queue hands out. */
export async function runWorkers(work: Work, signal: AbortSignal): Promise<void> {
  for (const { metadata } of work.caches.tunnels.list()) work.queue.add(metadata.name);
  let active = 0;
  const worker = async () => {
    for (let name = await work.queue.take(signal); name !== undefined; name = await work.queue.take(signal)) {
      work.observer.active?.(++active);
      await one(work, name, signal);
      work.observer.active?.(--active);
    }
  };
  await Promise.all([keepPublishing(work, signal), ...Array.from({ length: WORKERS }, worker)]);
}

/** One name, whatever happens: its failure is its own. */
async function one(work: Work, name: string, signal: AbortSignal): Promise<void> {
  const { queue, namespaces, caches, observer, log } = work;
  const { clock } = work.reconcile;
  const startedMs = clock.nowMs();
  const late = new AbortController();
  const cancel = clock.after(RECONCILE_TIMEOUT_MS, () => late.abort(new Error('the reconcile took too long')));
  try {
    namespaces.keep(namespacesInUse(caches, work.reconcile.defaultAgentNamespace));
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

function schedule(queue: Workqueue, name: string, { requeueAfterMs, isFailed }: ReconcileResult): void {
  if (isFailed) {
    queue.addRateLimited(name);
    return;
  }
  queue.forget(name);
  if (requeueAfterMs !== undefined) queue.addAfter(name, requeueAfterMs);
}

function outcomeOf({ requeueAfterMs, isFailed }: ReconcileResult) {
  if (isFailed) return 'error';
  return requeueAfterMs === undefined ? 'success' : 'requeue_after';
}

function namespacesInUse({ tunnels }: Caches, defaultNamespace: string): Set<string> {
  const local = tunnels.list().filter(({ spec }) => spec?.agent?.placement !== 'Manual');
  return new Set(local.map(({ spec }) => spec?.agent?.namespace ?? defaultNamespace));
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
