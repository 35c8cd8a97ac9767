import { expect } from 'chai';
import fc from 'fast-check';
import {
  isSuccess,
  type Look,
  looked,
  lookOf,
  sparedMs,
  UNSEEN,
  type Way,
  wayFacts,
  wayState,
} from '../../../../operator/gateway/health/way.ts';
import { StreamError } from '../../../../tunnel/errors.ts';
import { ErrorCode } from '../../../../tunnel/wire/codes.ts';

const HEALTH = { failureThreshold: 3 };
const REACHED: Look = { kind: 'reached' };
const FULL: Look = { kind: 'saturated' };
const failed = (detail = 'refused'): Look => ({ kind: 'failed', detail });

/** One look a second from 1 s on. */
const wayOf = (...looks: Look[]): Way => looks.reduce((way, look, at) => looked(way, look, (at + 1) * 1_000), UNSEEN);
const stateOf = (...looks: Look[]) => wayState(wayOf(...looks), HEALTH);

describe('operator/gateway/health/way', () => {
  for (const [what, looks, state] of [
    ['nothing', [], 'unseen'],
    ['two failures and no success ever', [failed(), failed()], 'unseen'],
    ['a success', [REACHED], 'open'],
    ['a success and two failures', [REACHED, failed(), failed()], 'open'],
    ['three failures', [REACHED, failed(), failed(), failed()], 'failing'],
    ['three failures and a success', [failed(), failed(), failed(), REACHED], 'open'],
    ['two looks at a full pool', [REACHED, FULL, FULL], 'open'],
    ['three looks at a full pool', [REACHED, FULL, FULL, FULL], 'saturated'],
    ['a pool that filled up while probes failed', [REACHED, failed(), failed(), failed(), FULL], 'saturated'],
    ['two failures between full pools', [REACHED, failed(), FULL, failed()], 'saturated'],
    ['a third failure, however full the pool was between', [REACHED, failed(), FULL, failed(), failed()], 'failing'],
  ] as readonly [string, Look[], string][]) {
    it(`after ${what} it is ${state}`, () => expect(stateOf(...looks)).to.equal(state));
  }

  it('follows a threshold that changes', () => {
    const way = wayOf(REACHED, failed());
    expect([1, 2].map((failureThreshold) => wayState(way, { failureThreshold }))).to.deep.equal(['failing', 'open']);
  });

  it('is as old as its last success while open, as the last look otherwise; and says the last failure', () => {
    expect(wayFacts(wayOf(REACHED, failed()), HEALTH)).to.include({ state: 'open', atMs: 1_000 });
    const facts = wayFacts(wayOf(REACHED, failed('a'), failed('b'), failed('c')), HEALTH);
    expect(facts).to.deep.equal({ state: 'failing', atMs: 4_000, detail: 'c' });
  });

  it('needs no probe for an interval after a success', () => {
    const spared = (nowMs: number) => sparedMs(wayOf(REACHED, failed()), { intervalMs: 10_000 }, nowMs);
    expect([2_000, 10_999, 11_000, 60_000].map(spared)).to.deep.equal([9_000, 1, 0, 0]);
    expect(sparedMs(UNSEEN, { intervalMs: 10_000 }, 5)).to.equal(0);
  });

  it('takes for a success what only an API server that works says to an agent that it knows', () => {
    const counts = [101, 200, 301, 403, 404, 409, 429].map((status) => isSuccess('answered', status));
    expect(new Set(counts)).to.deep.equal(new Set([true]));
    expect([401, 500, 503].map((status) => isSuccess('answered', status))).to.deep.equal([false, false, false]);
    expect(isSuccess('given up', undefined)).to.equal(false);
  });

  const error = (code: number, detail = '') =>
    new StreamError({ streamId: 1, code, origin: 'remote', execution: 'unknown', detail });
  for (const [what, outcome, status, look] of [
    ['an answer', 'answered', 200, REACHED],
    ['a refused probe user', 'answered', 403, REACHED],
    ['a refused token', 'answered', 401, failed('the API server answered 401 to /version')],
    ['an API server in trouble', 'answered', 503, failed('the API server answered 503 to /version')],
    ['silence', 'given up', undefined, failed('no answer to /version within 5000 ms')],
    ['an agent that is full after all', error(ErrorCode.Overload), undefined, FULL],
    ['a session that went', error(ErrorCode.SessionLost), undefined, undefined],
    ['an agent that leaves', error(ErrorCode.Draining), undefined, undefined],
    ['a connection that was refused', error(ErrorCode.UpstreamUnreachable, 'why'), undefined, failed('why')],
  ] as readonly [string, Parameters<typeof lookOf>[0], number | undefined, Look | undefined][]) {
    it(`a probe that ends with ${what} shows ${look === undefined ? 'nothing' : look.kind}`, () => {
      expect(lookOf(outcome, status, 5_000)).to.deep.equal(look);
    });
  }

  it('property: never failing while the last look met a full pool, nor before as many probes failed since a success', () => {
    const look = fc.constantFrom<Look>(REACHED, FULL, failed());
    fc.assert(
      fc.property(fc.array(look), (looks) => {
        const sinceSuccess = looks.slice(looks.lastIndexOf(REACHED) + 1);
        const failures = sinceSuccess.filter(({ kind }) => kind === 'failed').length;
        const isFailing = stateOf(...looks) === 'failing';
        expect(isFailing).to.equal(failures >= HEALTH.failureThreshold && looks.at(-1)?.kind === 'failed');
      }),
    );
  });
});
