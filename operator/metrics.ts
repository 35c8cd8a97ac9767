import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { ControllerObserver } from './controller/controller.ts';
import type { Method } from './kube/transport.ts';

/** From a cached no-op to a slow API server. */
const RECONCILE_SECONDS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
/** From an idle worker to a queue that is minutes behind. */
const QUEUE_SECONDS = [0.001, 0.01, 0.1, 0.5, 1, 5, 10, 60, 300];

/** Name of the controller and of its queue in the well-known metrics. */
const CONTROLLER = 'clustertunnel';

/** The operator's metrics; the gateway adds its own to the registry. */
export interface OperatorMetrics {
  readonly registry: Registry;
  readonly controller: ControllerObserver;
  /** For createTransport({ observe }). */
  readonly apiAnswered: (answer: { method: Method; host: string; status: number }) => void;
}

/** A fresh registry with the metrics that controller-runtime users know by name. */
export function createOperatorMetrics(): OperatorMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const requests = new Counter({
    name: 'rest_client_requests_total',
    help: 'Calls to the API server, by answer; code 0 is no answer.',
    labelNames: ['code', 'method', 'host'] as const,
    registers,
  });
  return {
    registry,
    controller: { ...reconcileMetrics(registers), queue: queueMetrics(registers) },
    apiAnswered: ({ method, host, status }) => requests.inc({ code: String(status), method, host }),
  };
}

function reconcileMetrics(registers: Registry[]): ControllerObserver {
  const labelNames = ['controller'] as const;
  const total = new Counter({
    name: 'controller_runtime_reconcile_total',
    help: 'Reconciles by result.',
    labelNames: ['controller', 'result'] as const,
    registers,
  });
  const errors = new Counter({
    name: 'controller_runtime_reconcile_errors_total',
    help: 'Reconciles that failed.',
    labelNames,
    registers,
  });
  const seconds = new Histogram({
    name: 'controller_runtime_reconcile_time_seconds',
    help: 'Duration of one reconcile.',
    labelNames,
    buckets: RECONCILE_SECONDS,
    registers,
  });
  const active = new Gauge({
    name: 'controller_runtime_active_workers',
    help: 'Reconciles under way.',
    labelNames,
    registers,
  });
  const leader = new Gauge({
    name: 'leader_election_master_status',
    help: '1 while this replica leads.',
    labelNames: ['name'] as const,
    registers,
  });
  const controller = CONTROLLER;
  leader.set({ name: CONTROLLER }, 0);
  return {
    reconciled(outcome, durationMs) {
      const isError = outcome === 'error' || outcome === 'terminal';
      total.inc({ controller, result: isError ? 'error' : outcome });
      if (isError) errors.inc({ controller });
      seconds.observe({ controller }, durationMs / 1_000);
    },
    active: (workers) => active.set({ controller }, workers),
    leading: (isLeader) => leader.set({ name: CONTROLLER }, isLeader ? 1 : 0),
  };
}

function queueMetrics(registers: Registry[]): NonNullable<ControllerObserver['queue']> {
  const labelNames = ['name'] as const;
  const name = CONTROLLER;
  const common = { labelNames, registers };
  const depth = new Gauge({ name: 'workqueue_depth', help: 'Names that wait for a worker.', ...common });
  const adds = new Counter({ name: 'workqueue_adds_total', help: 'Names added.', ...common });
  const retries = new Counter({ name: 'workqueue_retries_total', help: 'Names added after a failure.', ...common });
  const waited = new Histogram({
    name: 'workqueue_queue_duration_seconds',
    help: 'Time from the add of a name to a worker taking it.',
    buckets: QUEUE_SECONDS,
    ...common,
  });
  const worked = new Histogram({
    name: 'workqueue_work_duration_seconds',
    help: 'Time that a worker took for a name.',
    buckets: QUEUE_SECONDS,
    ...common,
  });
  return {
    added(names) {
      adds.inc({ name });
      depth.set({ name }, names);
    },
    taken(names, waitedMs) {
      depth.set({ name }, names);
      waited.observe({ name }, waitedMs / 1_000);
    },
    finished: (workedMs) => worked.observe({ name }, workedMs / 1_000),
    retried: () => retries.inc({ name }),
  };
}
