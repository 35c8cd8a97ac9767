import { FrameType } from '../wire/codes.ts';
import type { Frame } from '../wire/frame.ts';
import { INITIAL_WINDOW_BYTES } from '../wire/limits.ts';

/** How many frames of one kind a peer may send at once, and how many more each second. */
export interface Allowance {
  readonly burst: number;
  readonly perSecond: number;
}

/**
 * Every kind of frame that makes us answer or work and that no other rule bounds: credit bounds DATA, slots bound OPEN and SLOTS,
 * an end bounds the rest of a stream. Each is well beyond what our own ends ever send.
 */
export const ALLOWANCES = {
  /** Is answered. One each 8 to 12 s is usual. */
  ping: { burst: 20, perSecond: 1 },
  pong: { burst: 20, perSecond: 1 },
  /** WINDOW below a quarter of the smallest window: makes us send in crumbs. */
  smallWindow: { burst: 100, perSecond: 10 },
  /** DATA without bytes and without END. */
  emptyData: { burst: 100, perSecond: 10 },
  /** Heads before the final one. */
  informational: { burst: 1_000, perSecond: 100 },
  /** OPEN that is refused for want of room: what was under way while the limits shrank. */
  refusedOpen: { burst: 5_000, perSecond: 100 },
  /** Types of a newer peer that are skipped. */
  unknownType: { burst: 1_000, perSecond: 100 },
  health: { burst: 20, perSecond: 1 },
  config: { burst: 100, perSecond: 10 },
  goaway: { burst: 10, perSecond: 1 },
} as const satisfies Readonly<Record<string, Allowance>>;
export type AbuseKind = keyof typeof ALLOWANCES;

/** One token bucket a kind, for one session. Source: RFC 9113 §10.5, which asks for such bounds and leaves them open. */
export class AbuseBudget {
  readonly #buckets = new Map<AbuseKind, { tokens: number; atMs: number }>();

  /** Charges one frame. False: the peer has overdrawn, and its session ends. */
  spend(kind: AbuseKind, nowMs: number): boolean {
    const { burst, perSecond } = ALLOWANCES[kind];
    const bucket = this.#buckets.get(kind) ?? { tokens: burst, atMs: nowMs };
    const tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.atMs) / 1_000) * perSecond);
    this.#buckets.set(kind, { tokens: Math.max(0, tokens - 1), atMs: nowMs });
    return tokens >= 1;
  }
}

/** No receiver of ours returns less credit at once: a quarter of the smallest window. */
const SMALL_WINDOW_BYTES = INITIAL_WINDOW_BYTES / 4;
const FIRST_FINAL_STATUS = 200;

/** What a received frame is charged as; undefined: another rule bounds it. */
export function abuseKindOf(frame: Frame): AbuseKind | undefined {
  switch (frame.type) {
    case FrameType.Ping:
      return 'ping';
    case FrameType.Pong:
      return 'pong';
    case FrameType.Health:
      return 'health';
    case FrameType.Config:
      return 'config';
    case FrameType.Goaway:
      return 'goaway';
    case FrameType.Window:
      return frame.creditBytes < SMALL_WINDOW_BYTES ? 'smallWindow' : undefined;
    case FrameType.Data:
      return frame.data.length === 0 && !frame.isEnd ? 'emptyData' : undefined;
    case FrameType.Head:
      return frame.head.status < FIRST_FINAL_STATUS ? 'informational' : undefined;
    default:
      return undefined;
  }
}
