import type { StreamError } from '../../../tunnel/errors.ts';
import type { RequestInfo } from '../../../tunnel/request-info.ts';
import type { Ticket } from '../admission/replays.ts';
import { rowOf } from '../front/fault.ts';
import type { TunnelError } from '../front/tunnel-error.ts';
import { isLost, isUnreached, mayGoElsewhere, type Sent, tunnelErrorOf } from './stream-fault.ts';

/** Sessions that one request is tried on, while it certainly ran on none. */
const MAX_ATTEMPTS = 3;
/** What these do, whatever the method, is not the API server's to say. */
const PASSED_ON: ReadonlySet<string> = new Set(['proxy', 'exec', 'attach', 'portforward']);

/** Whether the target may see a request twice: one that only reads, and is for the API server itself. */
export function isReplayable({ isRead }: Pick<Sent, 'isRead'>, { verb, subresource }: RequestInfo): boolean {
  return isRead && verb !== 'proxy' && !PASSED_ON.has(subresource);
}

interface ResendingOptions {
  readonly sent: Sent;
  readonly info: RequestInfo;
  readonly ticket: Ticket;
  /** What is left of the request's time, in ms. */
  readonly leftMs: () => number;
  /** Whether another agent than this one (instanceId) may reach the API server. */
  readonly hasOther: (agent: string) => boolean;
}

/** One request without a body, of whose answer nothing came: whether it is sent again, and what its client is told if that fails. */
export class Resending {
  readonly #options: ResendingOptions;
  #attempts = 1;
  #lost: TunnelError | undefined;
  #unreached: { readonly agent: string; readonly error: TunnelError } | undefined;

  constructor(options: ResendingOptions) {
    this.#options = options;
  }

  /** It was sent into a session that was lost, and nobody knows what became of it there. */
  get mayHaveRun(): boolean {
    return this.#lost !== undefined;
  }

  /** instanceId of the agent that could not connect. */
  get avoid(): string | undefined {
    return this.#unreached?.agent;
  }

  /**
   * Whether to send it once more: what certainly did not run, to another session; what its agent (instanceId) could not
   * connect for, to another agent, once; a read whose session was lost, once.
   */
  isDue(error: StreamError, agent: string): boolean {
    const { sent, info, ticket, leftMs, hasOther } = this.#options;
    if (leftMs() <= 0) return false;
    if (mayGoElsewhere(error)) {
      this.#attempts += 1;
      return this.#attempts <= MAX_ATTEMPTS;
    }
    if (isUnreached(error)) {
      if (this.#unreached !== undefined || !hasOther(agent)) return false;
      this.#unreached = { agent, error: tunnelErrorOf(error, sent) };
      return true;
    }
    if (this.#lost !== undefined || !isLost(error) || !isReplayable(sent, info) || !ticket.replay()) return false;
    this.#lost = tunnelErrorOf(error, sent);
    return true;
  }

  /** What the client is told when it could not be sent again. A watch hears a 429, so that informers need no new list. */
  told(error: TunnelError): TunnelError {
    const isHeld = this.#options.info.verb === 'watch' && rowOf(error.kind).status === 429;
    return isHeld ? error : (this.#lost ?? this.#unreached?.error ?? error);
  }
}
