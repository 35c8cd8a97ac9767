import { type Clock, pause } from '../../process/clock.ts';
import type { Logger } from '../../process/log.ts';
import type { KubeClient } from './client.ts';
import { type KubeObject, RESOURCES } from './objects.ts';

/** Events waiting to be sent; beyond it the newest is dropped: they inform, nothing depends on them. */
const MAX_QUEUED = 1_000;
const ATTEMPTS = 3;
const RETRY_MS = 1_000;
/** Limits of events.k8s.io/v1. */
const MAX_NOTE_LENGTH = 1_024;
const MAX_REASON_LENGTH = 128;
/** Where Events about cluster-scoped objects live. */
const CLUSTER_SCOPED_NAMESPACE = 'default';

export interface KubeEvent {
  readonly regarding: KubeObject;
  readonly type: 'Normal' | 'Warning';
  /** Why, in one CamelCase word. */
  readonly reason: string;
  /** What we did, in one CamelCase word. */
  readonly action: string;
  readonly note: string;
}

/** Records Events without making anybody wait. */
export interface EventRecorder {
  record(event: KubeEvent): void;
  /** Sends what is queued for at most `deadlineMs`, then stops. */
  stop(deadlineMs: number): Promise<void>;
}

export interface EventRecorderOptions {
  readonly client: Pick<KubeClient, 'create'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** For example clustertunnel.io/controller. */
  readonly controller: string;
  /** This process: the pod's name. */
  readonly instance: string;
}

/** A recorder that posts one Event after another in the background. */
export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { clock, log } = options;
  const queue: KubeEvent[] = [];
  const stopping = new AbortController();
  let sequence = 0;
  let sending: Promise<void> | undefined;

  const drain = async () => {
    for (let event = queue.shift(); event !== undefined && !stopping.signal.aborted; event = queue.shift()) {
      await send(options, bodyOf(options, event, sequence++), stopping.signal);
    }
    sending = undefined;
  };
  return {
    record(event) {
      if (stopping.signal.aborted) return;
      if (queue.length >= MAX_QUEUED) {
        log.warn('event dropped', { reason: event.reason, queued: queue.length });
        return;
      }
      queue.push(event);
      sending ??= drain();
    },
    async stop(deadlineMs) {
      const late = new AbortController();
      const inTime = pause(clock, deadlineMs, late.signal).catch(() => {});
      await Promise.race([sending, inTime]);
      late.abort();
      stopping.abort(new Error('the event recorder stopped'));
      await sending;
    },
  };
}

async function send({ client, clock, log }: EventRecorderOptions, body: KubeObject, signal: AbortSignal) {
  const { namespace } = body.metadata;
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      await client.create(RESOURCES.event, { namespace }, body, signal);
      return;
    } catch (error) {
      if (attempt === ATTEMPTS || signal.aborted) {
        log.warn('event not recorded', { error, attempt });
        return;
      }
      // Rejects only when stopped, and then the loop ends.
      await pause(clock, RETRY_MS * attempt, signal).catch(() => {});
    }
  }
}

function bodyOf({ clock, controller, instance }: EventRecorderOptions, event: KubeEvent, sequence: number) {
  const { apiVersion, kind, metadata } = event.regarding;
  const namespace = metadata.namespace ?? CLUSTER_SCOPED_NAMESPACE;
  const now = clock.date();
  return {
    ...{ apiVersion: RESOURCES.event.apiVersion, kind: RESOURCES.event.kind },
    metadata: { namespace, name: `${metadata.name}.${now.getTime().toString(16)}${sequence.toString(16)}` },
    eventTime: now.toISOString().replace('Z', '000Z'),
    type: event.type,
    reason: event.reason.slice(0, MAX_REASON_LENGTH),
    action: event.action,
    note: event.note.slice(0, MAX_NOTE_LENGTH),
    reportingController: controller,
    reportingInstance: instance,
    regarding: { apiVersion, kind, name: metadata.name, namespace: metadata.namespace, uid: metadata.uid },
  };
}
