import type { Transport, TransportEvents } from '../../tunnel/session/transport.ts';

/** One end of a pair: a Transport, with handles for what the network may do to it. */
export interface PairEnd extends Transport {
  /** Messages sent from here from now on wait: nothing is delivered and no `written` is called, as when the peer's system buffer is full. */
  stall(): void;
  /** Ends a stall; what waited moves in order. */
  resume(): void;
  /** Messages taken from this end's session and not yet delivered. */
  readonly underWay: number;
  /** Messages this end's session has sent, delivered or not. */
  readonly sent: number;
}

/** Two Transports joined in memory. What one sends the other hears in a later turn of the event loop, in order. */
export interface TransportPair {
  readonly left: PairEnd;
  readonly right: PairEnd;
  /** Cuts the connection: what is under way is lost, both ends hear onClose(reason). */
  drop(reason?: string): void;
  /** Resolves once nothing moves any more (stalled messages do not count). */
  settle(): Promise<void>;
}

interface Parcel {
  readonly message: Uint8Array;
  readonly written: () => void;
}

/** Turns without traffic after which a pair is at rest: a writer flushes one turn after it was woken. */
const QUIET_TURNS = 4;

export function transportPair(): TransportPair {
  const left = new End();
  const right = new End();
  left.peer = right;
  right.peer = left;
  return {
    left,
    right,
    drop(reason = 'the connection was cut') {
      left.cut(reason);
      right.cut(reason);
    },
    settle: () => turnsUntil(() => left.isQuiet && right.isQuiet),
  };
}

/** One turn of the event loop: what setImmediate had scheduled has run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Turns the event loop until `isQuiet` held for a few turns in a row. */
export async function turnsUntil(isQuiet: () => boolean): Promise<void> {
  for (let quiet = 0; quiet < QUIET_TURNS; quiet = isQuiet() ? quiet + 1 : 0) await turn();
}

class End implements PairEnd {
  peer: End | undefined;
  sent = 0;
  #events: TransportEvents | undefined;
  readonly #parcels: Parcel[] = [];
  /** Delivered before our owner listened. */
  readonly #early: Uint8Array[] = [];
  #isStalled = false;
  #isScheduled = false;
  #closeReason: string | undefined;
  #isClosed = false;

  get underWay(): number {
    return this.#parcels.length;
  }

  get isQuiet(): boolean {
    return !this.#isScheduled && (this.#isStalled || this.#parcels.length === 0);
  }

  send(message: Uint8Array, written: () => void): void {
    if (this.#isClosed || this.#closeReason !== undefined) return;
    this.sent += 1;
    this.#parcels.push({ message, written });
    this.#schedule();
  }

  listen(events: TransportEvents): void {
    this.#events = events;
    for (const message of this.#early.splice(0)) events.onMessage(message);
  }

  close(reason: string): void {
    if (this.#isClosed || this.#closeReason !== undefined) return;
    this.#closeReason = reason;
    this.#schedule();
  }

  destroy(): void {
    this.#parcels.length = 0;
    setImmediate(() => {
      this.cut('the connection was destroyed');
      this.peer?.cut('the connection was destroyed');
    });
  }

  stall(): void {
    this.#isStalled = true;
  }

  resume(): void {
    this.#isStalled = false;
    this.#schedule();
  }

  /** The connection is gone, now. */
  cut(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#parcels.length = 0;
    this.#events?.onClose(reason);
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isStalled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    for (;;) {
      const parcel = this.#isStalled || this.#isClosed ? undefined : this.#parcels.shift();
      if (parcel === undefined) break;
      // As a system does: the sender may use its memory again once it is written.
      const message = Buffer.from(parcel.message);
      parcel.written();
      this.peer?.receive(message);
    }
    if (this.#closeReason === undefined || this.#isStalled) return;
    this.peer?.cut(this.#closeReason);
    this.cut(this.#closeReason);
  }

  receive(message: Uint8Array): void {
    if (this.#isClosed) return;
    if (this.#events === undefined) this.#early.push(message);
    else this.#events.onMessage(message);
  }
}
