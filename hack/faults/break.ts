import type { RuleName } from '../load/check.ts';
import type { Patch } from '../tunnelspec/live/patch.ts';

/** A build of ours that the suite must find wanting. */
export interface Break {
  readonly patches: readonly Patch[];
  /** What it breaks. */
  readonly rule: RuleName;
}

/** Each shows that a rule has teeth. */
export const BREAKS: Readonly<Record<string, Break>> = {
  /** Clients of writes that may have been executed are asked to repeat them. */
  'lost-write': {
    rule: 'no write is executed twice',
    patches: [
      {
        file: 'operator/gateway/front/fault.ts',
        from: "session_lost_write: { status: 504, reason: 'Timeout', hop: 'tunnel', retryable: false },",
        to: "session_lost_write: { status: 504, reason: 'Timeout', hop: 'tunnel', retryable: true, retryAfterSeconds: 1 },",
      },
    ],
  },
  /** The last write that an agent saw is taken for one that it did not see. */
  'unseen-write': {
    rule: 'no write is executed twice',
    patches: [
      {
        file: 'operator/gateway/sessions/unsettled.ts',
        from: 'const isUnseen = waiting.error.streamId > lastSeenId;',
        to: 'const isUnseen = waiting.error.streamId >= lastSeenId;',
      },
    ],
  },
  /** A body that was cut ends as if it were whole. */
  'clean-cut': {
    rule: 'an answer that ends cleanly is whole',
    patches: [
      {
        file: 'operator/gateway/sessions/exchange.ts',
        from: 'else cut(this.#options.response);',
        to: 'else endAnswer(this.#options.response, this.#options.clock);',
      },
    ],
  },
};
