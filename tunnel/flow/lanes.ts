import type { EncodedFrame } from '../wire/encode.ts';
import { MAX_DATA_BYTES } from '../wire/limits.ts';

/** Bytes a stream may send before the next one of its lane has its turn. */
const QUANTUM_BYTES = 16 * 1024;
/** A stream that sent more than this lately is bulk. */
const BULK_AFTER_BYTES = 64 * 1024;
/** A stream that sent nothing for this long is new again. */
const FORGET_AFTER_MS = 1_000;
/** Interactive to bulk, by bytes, while both wait. */
const INTERACTIVE_WEIGHT = 8;

/** A stream's frames on their way to the writer. */
export interface Sender {
  /** Whether its next frame may go now: something is queued, and credit allows it. */
  readonly isReady: boolean;
  /** The next frame; DATA of at most `maxDataBytes`. Called only when ready. */
  take(maxDataBytes: number): EncodedFrame;
  /** Kept by the lanes. */
  readonly place: LanePlace;
}

/** Where a sender stands. */
export class LanePlace {
  isQueued = false;
  deficitBytes = 0;
  recentBytes = 0;
  lastSentMs = 0;
}

/**
 * Which stream writes next. Two lanes: *interactive* (new and small streams) and *bulk* (streams that sent more than 64 KiB lately),
 * 8:1 by bytes while both wait; deficit round robin inside a lane. A stream stands in one place only, so changing lane
 * never reorders its frames. Source: RFC 8290 (new and old flows), Shreedhar & Varghese 1995 (DRR).
 */
export class Lanes<S extends Sender> {
  readonly #interactive: S[] = [];
  readonly #bulk: S[] = [];
  /** Interactive bytes sent ahead of what the weight allows; at 8 quanta bulk has its turn. */
  #leadBytes = 0;

  get isEmpty(): boolean {
    return this.#interactive.length === 0 && this.#bulk.length === 0;
  }

  /** Notes that a sender may have become ready. Cheap to call again. */
  wake(sender: S, nowMs: number): void {
    const { place } = sender;
    if (place.isQueued || !sender.isReady) return;
    if (nowMs - place.lastSentMs > FORGET_AFTER_MS) place.recentBytes = 0;
    place.isQueued = true;
    place.deficitBytes = QUANTUM_BYTES;
    this.#laneOf(place).push(sender);
  }

  /** Forgets a sender; its queued frames are its own to drop. */
  remove(sender: S): void {
    if (!sender.place.isQueued) return;
    sender.place.isQueued = false;
    for (const lane of [this.#interactive, this.#bulk]) {
      const index = lane.indexOf(sender);
      if (index >= 0) lane.splice(index, 1);
    }
  }

  /** The next frame to write; undefined when no sender may send. */
  next(nowMs: number): EncodedFrame | undefined {
    for (;;) {
      const lane = this.#choose();
      const sender = lane[0];
      if (sender === undefined) return undefined;
      if (!sender.isReady) {
        lane.shift();
        sender.place.isQueued = false;
        continue;
      }
      if (sender.place.deficitBytes <= 0) {
        // Still in debt for a frame beyond its quantum: this round is the others'.
        sender.place.deficitBytes += QUANTUM_BYTES;
        lane.shift();
        lane.push(sender);
        continue;
      }
      return this.#serve(lane, sender, nowMs);
    }
  }

  #laneOf(place: LanePlace): S[] {
    return place.recentBytes > BULK_AFTER_BYTES ? this.#bulk : this.#interactive;
  }

  #choose(): S[] {
    if (this.#bulk.length === 0 || this.#interactive.length === 0) {
      this.#leadBytes = 0;
      return this.#bulk.length === 0 ? this.#interactive : this.#bulk;
    }
    return this.#leadBytes < INTERACTIVE_WEIGHT * QUANTUM_BYTES ? this.#interactive : this.#bulk;
  }

  #serve(lane: S[], sender: S, nowMs: number): EncodedFrame {
    const { place } = sender;
    const isAlone = this.#interactive.length + this.#bulk.length === 1;
    const frame = sender.take(isAlone ? MAX_DATA_BYTES : place.deficitBytes);
    const bytes = frame.payload.length;
    // Alone, nobody has to be paid back.
    place.deficitBytes = isAlone ? 0 : place.deficitBytes - bytes;
    place.recentBytes += bytes;
    place.lastSentMs = nowMs;
    this.#leadBytes =
      lane === this.#interactive ? this.#leadBytes + bytes : Math.max(0, this.#leadBytes - bytes * INTERACTIVE_WEIGHT);
    this.#requeue(lane, sender);
    return frame;
  }

  /** Leaves the sender in front, sends it to the end of its lane, or to the other lane. */
  #requeue(lane: S[], sender: S): void {
    const { place } = sender;
    const isSpent = place.deficitBytes <= 0;
    const isMisplaced = this.#laneOf(place) !== lane;
    if (sender.isReady && !isSpent && !isMisplaced) return;
    lane.shift();
    place.isQueued = sender.isReady;
    if (!sender.isReady) return;
    if (isSpent) place.deficitBytes += QUANTUM_BYTES;
    this.#laneOf(place).push(sender);
  }
}
