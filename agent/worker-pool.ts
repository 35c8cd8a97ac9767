/** One session, as far as slots go: told how many slots of this pool became free. */
export type Announce = (slots: number) => void;

/** A request's place: in the queue, then at work. */
export interface Place {
  /** The work is gone for real. Safe to call again. */
  release(): void;
}

export interface WorkerPoolOptions {
  /** Requests at work at once. */
  readonly limit: number;
  /** Requests that wait here, at most: those under way when the limit shrank. */
  readonly queueLimit: number;
}

/** A waiting or working request. */
interface Job {
  readonly start: () => void;
  state: 'queued' | 'running' | 'gone';
}

/** What one session was told of and has not used. */
interface Account {
  slots: number;
  /** The gateway leaves: what it opened before still comes, and is served; nothing new is announced. */
  isLeaving: boolean;
}

/**
 * Bounded workers whose free slots are announced to the gateways.
 *
 * Invariant while the limit does not shrink and no session leaves: running + queued + granted <= limit, where granted is
 * what the sessions were told and have not used. A smaller limit announces less and ends nothing.
 */
export class WorkerPool {
  readonly #queueLimit: number;
  #limit: number;
  #running = 0;
  readonly #queue: Job[] = [];
  /** In the order of joining: the last one is told of new slots. */
  readonly #accounts = new Map<Announce, Account>();

  constructor({ limit, queueLimit }: WorkerPoolOptions) {
    this.#limit = limit;
    this.#queueLimit = queueLimit;
  }

  get limit(): number {
    return this.#limit;
  }

  set limit(limit: number) {
    this.#limit = limit;
    this.#startQueued();
    this.#grant();
  }

  get running(): number {
    return this.#running;
  }

  get queued(): number {
    return this.#queue.length;
  }

  /** Slots that gateways were told of and may still use. */
  get granted(): number {
    let total = 0;
    for (const { slots, isLeaving } of this.#accounts.values()) total += isLeaving ? 0 : slots;
    return total;
  }

  /** A session begins. Returns the slots to announce in its HELLO. */
  join(announce: Announce): number {
    const slots = this.#room();
    this.#accounts.set(announce, { slots, isLeaving: false });
    return slots;
  }

  /** A session takes no new requests: its unused slots go to the others. Those under way are still served. */
  leave(announce: Announce): void {
    const account = this.#accounts.get(announce);
    if (account !== undefined) account.isLeaving = true;
    this.#grant();
  }

  /** A session ended. */
  forget(announce: Announce): void {
    this.#accounts.delete(announce);
    this.#grant();
  }

  /** A request that uses a slot and is refused: the slot is free again. */
  refuse(announce: Announce): void {
    this.#spend(announce);
    this.#grant();
  }

  /**
   * Takes a request: runs `start` now, or when a worker is free. undefined: the queue is full or the session had no slot
   * left; the caller refuses the request.
   */
  take(announce: Announce, start: () => void): Place | undefined {
    const hadSlot = this.#spend(announce);
    const isFull = this.#running >= this.#limit && this.#queue.length >= this.#queueLimit;
    if (!hadSlot || isFull) {
      this.#grant();
      return undefined;
    }
    const job: Job = { start, state: 'queued' };
    this.#queue.push(job);
    this.#startQueued();
    return { release: () => this.#release(job) };
  }

  #release(job: Job): void {
    if (job.state === 'queued') this.#queue.splice(this.#queue.indexOf(job), 1);
    if (job.state === 'running') this.#running -= 1;
    if (job.state === 'gone') return;
    job.state = 'gone';
    this.#startQueued();
    this.#grant();
  }

  #startQueued(): void {
    while (this.#running < this.#limit) {
      const job = this.#queue.shift();
      if (job === undefined) return;
      this.#running += 1;
      job.state = 'running';
      job.start();
    }
  }

  #room(): number {
    return Math.max(0, this.#limit - this.#running - this.#queue.length - this.granted);
  }

  /** Tells the newest session of what became free. */
  #grant(): void {
    const free = this.#room();
    const newest = [...this.#accounts].findLast(([, { isLeaving }]) => !isLeaving);
    if (free === 0 || newest === undefined) return;
    const [announce, account] = newest;
    account.slots += free;
    announce(free);
  }

  /** False: the session used more slots than it was told of. */
  #spend(announce: Announce): boolean {
    const account = this.#accounts.get(announce);
    if (account === undefined || account.slots === 0) return false;
    account.slots -= 1;
    return true;
  }
}
