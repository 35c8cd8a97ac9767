import { type Asked, bodyOffset, queryOf } from '../asked.ts';
import type { Attempt } from '../history.ts';
import { monotonicMs } from '../monotonic.ts';
import { pattern } from '../pattern.ts';
import type { Call, Door, GivenUp } from './call.ts';
import type { Operation } from './draw.ts';

const COLLECTION = '/api/v1/namespaces/load/configmaps';
/** Longer than any deadline of the gateway: what takes so long hangs. */
const HANG_MS = 45_000;
/** A reader who takes his time may need so often as long as his pace says. */
const PATIENCE = 2;

export interface Way {
  readonly door: Door;
  readonly record: (attempt: Attempt) => void;
}

export interface Attempting {
  readonly operation: Operation;
  readonly asked: Asked;
  readonly givingUp: AbortController;
  /** The head of the answer has come. */
  readonly onHead?: () => void;
}

/** Asks once, and records what came of it. */
export async function attempt({ door, record }: Way, attempting: Attempting): Promise<Attempt> {
  const { operation, asked, givingUp, onHead = () => {} } = attempting;
  const { method } = operation;
  const startedMs = monotonicMs();
  const timer = setTimeout(() => givingUp.abort('hung' satisfies GivenUp), hangsAfterMs(operation));
  const seen = await door.ask({ ...callOf(operation, asked), onHead }, givingUp.signal);
  clearTimeout(timer);
  const { protocol } = door;
  const seenAttempt: Attempt = { ...asked, ...seen, method, protocol, startedMs, endedMs: monotonicMs() };
  record(seenAttempt);
  return seenAttempt;
}

function hangsAfterMs({ answerBytes, bytesPerSecond = Number.POSITIVE_INFINITY }: Operation): number {
  const tookMs = bytesPerSecond === 0 ? 0 : (answerBytes * 1_000) / bytesPerSecond;
  return HANG_MS + PATIENCE * tookMs;
}

function callOf(operation: Operation, asked: Asked): Call {
  const { method, parts, pauseMs, isSized, isWatch } = operation;
  const isOfOne = method !== 'POST' && !isWatch;
  const { path = `${COLLECTION}${isOfOne ? `/${asked.id}` : ''}`, bytesPerSecond } = operation;
  return {
    method,
    path: `${path}?${queryOf(asked)}`,
    user: asked.user,
    parts: partsOf(pattern(bodyOffset(asked, 'request'), asked.requestBytes), parts),
    pauseMs,
    isSized,
    answerOffset: bodyOffset(asked, 'answer'),
    ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
  };
}

function partsOf(body: Buffer, count: number): Buffer[] {
  const bytes = Math.ceil(body.length / count);
  const starts = Array.from({ length: count }, (_, at) => at * bytes);
  return starts.map((start) => body.subarray(start, start + bytes)).filter(({ length }) => length > 0);
}
