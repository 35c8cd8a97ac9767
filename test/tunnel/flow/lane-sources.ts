import { LanePlace, Lanes, type Sender } from '../../../tunnel/flow/lanes.ts';
import { FrameType } from '../../../tunnel/wire/codes.ts';
import type { EncodedFrame } from '../../../tunnel/wire/encode.ts';

/** A stream with a body to send; frames carry their offset so that order can be checked. */
export class Source implements Sender {
  readonly place = new LanePlace();
  readonly id: number;
  queued: number;
  credit: number;
  sent = 0;
  /** A head that goes in front, whole. */
  headBytes = 0;
  /** How its writer cuts the body: DATA is no longer than the chunk it is taken from. */
  nextChunkBytes: () => number = () => Number.MAX_SAFE_INTEGER;

  constructor(id: number, queued: number, credit = Number.MAX_SAFE_INTEGER) {
    this.id = id;
    this.queued = queued;
    this.credit = credit;
  }

  get isReady(): boolean {
    return this.headBytes > 0 || (this.queued > 0 && this.credit > 0);
  }

  take(maxDataBytes: number): EncodedFrame {
    if (this.headBytes > 0) {
      const payload = new Uint8Array(this.headBytes);
      this.headBytes = 0;
      return { type: FrameType.Head, flags: 0, streamId: this.id, payload };
    }
    const bytes = Math.min(this.queued, this.credit, maxDataBytes, this.nextChunkBytes());
    this.queued -= bytes;
    this.credit -= bytes;
    this.sent += bytes;
    return { type: FrameType.Data, flags: 0, streamId: this.id, payload: new Uint8Array(bytes) };
  }
}

/** A stream that has sent more than 64 KiB lately. */
export function bulk(id: number, bytes: number): Source {
  const source = new Source(id, bytes);
  source.place.recentBytes = 65 * 1024;
  return source;
}

export function awake(sources: readonly Source[], nowMs = 0): Lanes<Source> {
  const lanes = new Lanes<Source>();
  for (const source of sources) lanes.wake(source, nowMs);
  return lanes;
}

/** Serves until `enough` or nothing is left; the stream ids and sizes served, in order. */
export function serve(
  lanes: Lanes<Source>,
  enough: () => boolean = () => false,
  nowMs = 0,
): (readonly [number, number])[] {
  const served: (readonly [number, number])[] = [];
  while (!enough()) {
    const frame = lanes.next(nowMs);
    if (frame === undefined) break;
    served.push([frame.streamId, frame.payload.length]);
  }
  return served;
}
