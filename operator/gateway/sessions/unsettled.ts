import type { Clock } from '../../../process/clock.ts';
import { StreamError } from '../../../tunnel/errors.ts';
import { ErrorCode } from '../../../tunnel/wire/codes.ts';
import type { Previous } from '../../../tunnel/wire/documents.ts';
import type { AgentLink } from './registry.ts';

/** An agent that lost its session is mostly back after one or two attempts; longer nobody waits for its word. */
export const UNSETTLED_MS = 5_000;
/** Requests that wait so, over all tunnels. */
const MAX_UNSETTLED = 2_000;

/**
 * The stream of a request failed: calls `known` when its agent has said whether it saw the request, or when that will
 * never be known. The returned function gives up: the client went away. undefined: there is nothing to wait for.
 */
export type UntilKnown = (error: StreamError, known: (error: StreamError) => void) => (() => void) | undefined;

interface Waiting {
  readonly error: StreamError;
  readonly known: (error: StreamError) => void;
  readonly cancelTimer: () => void;
}

/** One session that was lost under requests of which its agent has said nothing. */
interface LostSession {
  readonly link: AgentLink;
  readonly waiting: Set<Waiting>;
}

/** What became of the requests that waited for a greeting. */
export interface Settled {
  readonly notExecuted: number;
  readonly unknown: number;
}

/**
 * Requests whose session was lost under them. Each waits a moment for its agent's next greeting, which names the last
 * request that the agent saw there: later ones certainly were not executed. Whatever else happens, that is not known.
 */
export class Unsettled {
  readonly #clock: Clock;
  /** By session id. */
  readonly #lost = new Map<string, LostSession>();
  #size = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Requests that wait. */
  get size(): number {
    return this.#size;
  }

  /** For one request on this session. `timeoutMs`: how long it may take from now; undefined: as long as it likes. */
  untilKnown(link: AgentLink, timeoutMs = Number.POSITIVE_INFINITY): UntilKnown {
    const dueMs = this.#clock.nowMs() + timeoutMs;
    return (error, known) => {
      const waitMs = Math.min(UNSETTLED_MS, dueMs - this.#clock.nowMs());
      if (waitMs <= 0 || this.#size >= MAX_UNSETTLED || !isInDoubt(link, error)) return undefined;
      return this.#wait(link, error, known, waitMs);
    };
  }

  /** An agent greeted, and said this of its session before. A session is settled once. */
  told(by: AgentLink, previous: Previous | undefined): Settled {
    const settled = { notExecuted: 0, unknown: 0 };
    for (const [sessionId, { link, waiting: all }] of [...this.#lost]) {
      const lastSeenId = lastSeenOf(link, by, previous);
      if (lastSeenId === undefined) continue;
      for (const waiting of [...all]) {
        const isUnseen = waiting.error.streamId > lastSeenId;
        settled[isUnseen ? 'notExecuted' : 'unknown'] += 1;
        this.#settle(sessionId, waiting, isUnseen ? unseen(waiting.error) : waiting.error);
      }
    }
    return settled;
  }

  /** Nobody will say anything any more. */
  clear(): void {
    for (const [sessionId, { waiting }] of [...this.#lost]) {
      for (const each of [...waiting]) this.#settle(sessionId, each, each.error);
    }
  }

  #wait(link: AgentLink, error: StreamError, known: Waiting['known'], waitMs: number): () => void {
    const sessionId = link.session.id;
    const lost = this.#lost.get(sessionId) ?? { link, waiting: new Set() };
    this.#lost.set(sessionId, lost);
    const waiting: Waiting = {
      error,
      known,
      cancelTimer: this.#clock.after(waitMs, () => this.#settle(sessionId, waiting, error)),
    };
    lost.waiting.add(waiting);
    this.#size += 1;
    return () => this.#leave(sessionId, waiting);
  }

  #settle(sessionId: string, waiting: Waiting, error: StreamError): void {
    if (this.#leave(sessionId, waiting)) waiting.known(error);
  }

  /** False: it did not wait any more. */
  #leave(sessionId: string, waiting: Waiting): boolean {
    const lost = this.#lost.get(sessionId);
    if (lost === undefined || !lost.waiting.delete(waiting)) return false;
    waiting.cancelTimer();
    this.#size -= 1;
    if (lost.waiting.size === 0) this.#lost.delete(sessionId);
    return true;
  }
}

/** Whether only the agent knows if it saw the request: it spoke neither of this stream nor of a later one, nor said goodbye. */
function isInDoubt({ session: { session } }: AgentLink, { code, execution, streamId }: StreamError): boolean {
  const isLost = code === ErrorCode.SessionLost && execution === 'unknown' && session.isLost;
  return isLost && streamId > session.streams.lastHeardId;
}

/**
 * The last stream of a lost session that may have been seen, by this greeting; undefined when it does not speak of it.
 * Only the process that had it can, with a credential for the same tunnel. What cannot be true proves nothing.
 */
function lastSeenOf(lost: AgentLink, by: AgentLink, previous: Previous | undefined): number | undefined {
  if (lost.tunnelUid !== by.tunnelUid || lost.instanceId !== by.instanceId) return undefined;
  const { id, session } = lost.session;
  // A connection names the session that it had before. If that is another one, no other greeting will name this one.
  if (previous?.sessionId !== id) return lost.connection === by.connection ? Number.POSITIVE_INFINITY : undefined;
  const { lastHeardId, lastId } = session.streams;
  const isPossible = previous.lastStreamId >= lastHeardId && previous.lastStreamId <= lastId;
  return isPossible ? previous.lastStreamId : Number.POSITIVE_INFINITY;
}

function unseen(error: StreamError): StreamError {
  const { streamId, code, origin, detail } = error;
  const told = `${detail}; its agent never saw the request`;
  return new StreamError({ streamId, code, origin, execution: 'not-executed', detail: told }, { cause: error });
}
