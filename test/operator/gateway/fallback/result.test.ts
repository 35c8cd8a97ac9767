import { expect } from 'chai';
import { resultOf } from '../../../../operator/gateway/fallback/result.ts';
import { ErrorCode } from '../../../../tunnel/wire/codes.ts';

describe('operator/gateway/fallback/result', () => {
  const ROWS = [
    [ErrorCode.None, 'answered'],
    [ErrorCode.Cancel, 'cancelled'],
    [ErrorCode.UpstreamUnreachable, 'unreachable'],
    [ErrorCode.UpstreamReset, 'failed'],
    [ErrorCode.PolicyDenied, 'failed'],
    [ErrorCode.Deadline, 'failed'],
  ] as const;
  for (const [code, result] of ROWS) {
    it(`counts code ${code} as ${result}`, () => expect(resultOf({ code })).to.equal(result));
  }
});
