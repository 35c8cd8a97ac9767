import type { Clock } from '../../../process/clock.ts';
import { nextTrace } from '../../../process/trace.ts';
import type { BudgetShare } from '../../../tunnel/flow/budget-share.ts';
import type { SlotPool } from '../../../tunnel/session/gateway-session.ts';
import { ErrorCode } from '../../../tunnel/wire/codes.ts';
import type { RequestHead } from '../../../tunnel/wire/head.ts';
import type { ExchangeEnd } from '../../../upstream/exchange-options.ts';
import { Exchange } from '../../../upstream/forward.ts';
import { denial } from '../../../upstream/policy.ts';
import { WaitingRoom } from '../admission/waiting.ts';
import type { TunnelError } from '../front/tunnel-error.ts';
import type { BudgetShares } from '../sessions/budget-shares.ts';
import type { TunnelView } from '../sessions/tunnels.ts';
import { Connection } from './connection.ts';
import { type DirectApplicant, ended, full, late } from './direct-applicant.ts';
import { JoinedStream } from './joined-stream.ts';
import { arrived, missed, type Reach, settled, settlesInMs, UNASKED } from './reach.ts';
import { type FallbackResult, NO_RESULTS, resultOf } from './result.ts';
import { type FallbackTarget, isSameTarget } from './target.ts';

export interface DirectWayOptions {
  readonly view: () => TunnelView | undefined;
  /** Its bytes are its tunnel's. */
  readonly budgets: Pick<BudgetShares, 'join' | 'leave'>;
  readonly clock: Clock;
  /** Whether the target can be reached changed. */
  readonly onTrouble: (trouble: string | undefined) => void;
}

/** What a request holds while it runs. */
interface Taken {
  readonly connection: Connection;
  readonly share: BudgetShare;
}

/** The way to one tunnel's API server without the tunnel, under the same limits and rules as through it. */
export class DirectWay {
  readonly #options: DirectWayOptions;
  readonly #rooms: Readonly<Record<SlotPool, WaitingRoom>>;
  readonly #running = { ordinary: 0, longRunning: 0 };
  readonly #applicants = new Set<DirectApplicant>();
  readonly #results = { ...NO_RESULTS };
  #connection: Connection | undefined;
  #reach: Reach = UNASKED;
  #stopSettling = () => {};

  constructor(options: DirectWayOptions) {
    const { clock, view } = options;
    const room = () => new WaitingRoom(clock, () => view()?.admission?.maxQueuedRequests ?? MAX_QUEUED_REQUESTS);
    this.#options = options;
    this.#rooms = { ordinary: room(), longRunning: room() };
  }

  get running(): number {
    return this.#running.ordinary + this.#running.longRunning;
  }

  get waiting(): number {
    return this.#rooms.ordinary.size + this.#rooms.longRunning.size;
  }

  get results(): Readonly<Record<FallbackResult, number>> {
    return this.#results;
  }

  /** Why the target cannot be reached, or not always; undefined: it can, or was never asked. */
  get trouble(): string | undefined {
    return this.#reach.trouble;
  }

  /** Sends it to `target` now or when there is room. The returned function gives up: the client went away. */
  go(applicant: DirectApplicant, target: FallbackTarget): () => void {
    this.follow(target);
    const room = this.#rooms[applicant.pool];
    if (room.size === 0 && this.#open(applicant)) return () => {};
    const leave = room.enter({
      user: applicant.user,
      take: () => this.#open(applicant),
      dueMs: () => applicant.deadlineMs,
      expire: () => this.#refuse(applicant, this.#isLate(applicant) ? late(applicant) : applicant.refusal),
      giveWay: () => this.#refuse(applicant, full(applicant)),
    });
    if (leave === undefined) this.#refuse(applicant, full(applicant));
    return leave ?? (() => {});
  }

  /** What begins from now on goes to `target`; what runs goes on where it is. */
  follow(target: FallbackTarget): void {
    const { view, clock } = this.#options;
    const known = this.#connection;
    const timeouts = view()?.settings.timeouts;
    if (timeouts === undefined) return;
    known?.reconfigure(timeouts.connectMs);
    if (known !== undefined && isSameTarget(known.target, target)) return this.wake();
    this.#note(UNASKED);
    this.#connection = new Connection(target, () => view()?.settings.timeouts ?? timeouts, clock);
    known?.retire();
    this.wake();
  }

  /** There is no target any more, or nobody may go there: what runs ends, and nobody waits any longer. */
  end(why: string): void {
    const connection = this.#connection;
    this.#connection = undefined;
    this.turnAway();
    for (const applicant of [...this.#applicants]) applicant.revoke(ended(applicant, why));
    this.#note(UNASKED);
    connection?.retire();
  }

  /** Nobody waits any longer. */
  turnAway(): void {
    this.#rooms.ordinary.clear();
    this.#rooms.longRunning.clear();
  }

  /** There may be room. */
  wake(): void {
    this.#rooms.ordinary.wake();
    this.#rooms.longRunning.wake();
  }

  async close(): Promise<void> {
    this.#stopSettling();
    await this.#connection?.close();
  }

  #isLate({ deadlineMs }: DirectApplicant): boolean {
    return this.#options.clock.nowMs() >= deadlineMs;
  }

  #refuse({ onError }: DirectApplicant, error: TunnelError): void {
    this.#results.refused += 1;
    onError(error);
  }

  #open(applicant: DirectApplicant): boolean {
    const { view, budgets } = this.#options;
    const { limits, access } = view()?.settings ?? {};
    const connection = this.#connection;
    if (connection === undefined || limits === undefined || access === undefined) return false;
    const { pool, tunnel } = applicant;
    const most = pool === 'ordinary' ? limits.maxConcurrentRequests : limits.maxLongRunningRequests;
    if (this.#running[pool] >= most) return false;
    const share = budgets.join(tunnel);
    if (!share.reserve()) {
      budgets.leave(tunnel);
      return false;
    }
    this.#running[pool] += 1;
    this.#applicants.add(applicant);
    connection.began();
    this.#start(applicant, { connection, share }, (head) => denial(head, access));
    return true;
  }

  #start(
    applicant: DirectApplicant,
    { connection, share }: Taken,
    denialOf: (head: RequestHead) => string | undefined,
  ): void {
    const { clock } = this.#options;
    const { pool, deadlineMs, isEnd, onStream } = applicant;
    const stream = new JoinedStream(clock);
    const leftMs = Math.max(1, Math.ceil(deadlineMs - clock.nowMs()));
    const head = applicant.head(pool === 'ordinary' ? leftMs : 0);
    const exchange = new Exchange({
      stream: stream.served,
      head,
      trace: nextTrace(head.traceId, head.headers),
      identity: head.identity,
      context: connection.context,
      // There is no slow link in between.
      deflate: () => undefined,
      onGone: (end) => this.#gone(applicant, { connection, share }, end),
    });
    onStream(stream);
    if (isEnd) stream.end();
    const reason = denialOf(head);
    if (reason !== undefined) return exchange.refuse(ErrorCode.PolicyDenied, reason);
    // Never rejects: what goes wrong is told on the stream.
    void exchange.start();
  }

  #gone(applicant: DirectApplicant, { connection, share }: Taken, end: ExchangeEnd): void {
    this.#results[resultOf(end)] += 1;
    this.#running[applicant.pool] -= 1;
    this.#applicants.delete(applicant);
    connection.ended();
    if (connection === this.#connection) {
      const nowMs = this.#options.clock.nowMs();
      if (end.code === ErrorCode.UpstreamUnreachable) this.#note(missed(this.#reach, end.detail, nowMs));
      else if (end.status !== undefined) this.#note(arrived(this.#reach, nowMs));
    }
    share.release(0);
    this.#options.budgets.leave(applicant.tunnel);
    // Not from inside the turn of somebody who waited.
    queueMicrotask(() => this.wake());
  }

  #note(reach: Reach): void {
    const { clock, onTrouble } = this.#options;
    const isNews = (reach.trouble === undefined) !== (this.#reach.trouble === undefined);
    this.#reach = reach;
    this.#stopSettling();
    const leftMs = settlesInMs(reach, clock.nowMs());
    if (leftMs !== undefined) {
      this.#stopSettling = clock.after(leftMs, () => this.#note(settled(this.#reach, clock.nowMs())));
    }
    if (isNews) onTrouble(reach.trouble);
  }
}

/** Of a tunnel that does not say limits.maxQueuedRequests. */
const MAX_QUEUED_REQUESTS = 2_000;
