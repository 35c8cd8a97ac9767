import { ErrorCode } from '../../../tunnel/wire/codes.ts';
import type { ExchangeEnd } from '../../../upstream/exchange-options.ts';

/**
 * What became of a request that went directly: answered to its end; its client gave it up; no connection to the target; it
 * ended otherwise; or it did not go, for there was no room.
 */
export type FallbackResult = 'answered' | 'cancelled' | 'unreachable' | 'failed' | 'refused';

export const NO_RESULTS: Readonly<Record<FallbackResult, number>> = {
  answered: 0,
  cancelled: 0,
  unreachable: 0,
  failed: 0,
  refused: 0,
};

/** How an exchange with the target went. */
export function resultOf({ code }: Pick<ExchangeEnd, 'code'>): FallbackResult {
  switch (code) {
    case ErrorCode.None:
      return 'answered';
    case ErrorCode.Cancel:
      return 'cancelled';
    case ErrorCode.UpstreamUnreachable:
      return 'unreachable';
    default:
      return 'failed';
  }
}
