import type { Asked } from './asked.ts';

/** All times are of `monotonicMs`: one clock for all processes. */

/** What a client saw of one attempt. */
export interface Attempt extends Asked {
  readonly method: string;
  readonly protocol: 'http/1.1' | 'h2';
  readonly startedMs: number;
  readonly endedMs: number;
  /**
   * whole: the answer ended cleanly · cut: it broke off after its head · broken: the connection ended before a head ·
   * refused: nobody listened · left: its client went away · hung: none of these in time.
   */
  readonly end: 'whole' | 'cut' | 'broken' | 'refused' | 'left' | 'hung';
  /** undefined: no head came. */
  readonly status: number | undefined;
  readonly contentType: string;
  /** As it stood in the answer. */
  readonly retryAfter: string | undefined;
  /** `id attempt` of the request that the upstream answered so; undefined: the answer is not the upstream's. */
  readonly answers: string | undefined;
  /** Of an answer that is not the upstream's: its body, the beginning of it. */
  readonly text: string;
  readonly receivedBytes: number;
  /** Everything received is what the upstream produces, from its beginning. */
  readonly isIntact: boolean;
}

/** What the upstream saw of one request: it counts as executed from its head on. */
export interface Execution {
  readonly id: string;
  readonly attempt: number;
  readonly tunnel: string;
  /** Through whom it came. */
  readonly agent: string;
  readonly method: string;
  readonly user: string;
  /** As whom it came: Impersonate-User. */
  readonly impersonates: string;
  readonly requestBytes: number;
  readonly beganMs: number;
  /** Of the body; undefined: it never ended cleanly. */
  readonly body: { readonly bytes: number; readonly isIntact: boolean } | undefined;
  /** When its answer was complete or its connection closed; undefined: neither was seen. */
  readonly endedMs: number | undefined;
  /** Its answer was handed over to the last byte. */
  readonly isWhole: boolean;
}

/** Something that was broken on purpose. */
export interface Fault {
  readonly kind: 'cut' | 'agent' | 'gateway' | 'upstream';
  readonly atMs: number;
  /** Whose session, or who; undefined: all of them. */
  readonly agent: string | undefined;
  /** For people: what exactly. */
  readonly how: string;
}

/** Everything that was seen of a run. */
export interface History {
  readonly attempts: readonly Attempt[];
  readonly executions: readonly Execution[];
  readonly faults: readonly Fault[];
  /** What there was of any request when all was quiet. */
  readonly leftovers: readonly string[];
  /** Who had no session at the end. */
  readonly withoutSession: readonly string[];
  /** Processes that ended by themselves. */
  readonly crashes: readonly string[];
  /** Of their logs: what no process may say. */
  readonly outcries: readonly string[];
}

/** Whether it changes something at the target. */
export function isWrite({ method }: { readonly method: string }): boolean {
  return method !== 'GET' && method !== 'HEAD';
}
