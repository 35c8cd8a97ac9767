import { expect } from 'chai';
import { gaveUp, giveUpAtMs, isOffline, offline } from '../../../../operator/gateway/admission/absence.ts';

const MINUTE = 60_000;
const PATIENCE = { isWatch: false, enteredMs: 100_000, deadlineMs: 220_000, disconnectGraceMs: 10_000 };
const away = (awaySinceMs: number | undefined, nowMs = 100_000) => ({ nowMs, isConnected: false, awaySinceMs });
const CONNECTED = { nowMs: 100_000, isConnected: true, awaySinceMs: undefined };

describe('operator/gateway/admission/absence', () => {
  it('is never offline while connected', () => {
    expect(isOffline(CONNECTED, false)).to.equal(false);
    expect(isOffline(CONNECTED, true)).to.equal(false);
  });

  it('is offline when it never was connected', () => {
    expect(isOffline(away(undefined), false)).to.equal(true);
    expect(isOffline(away(undefined), true)).to.equal(true);
  });

  it('is offline after a minute, but a watch is held all the same: its client would list again', () => {
    expect(isOffline(away(100_000 - MINUTE + 1), false)).to.equal(false);
    expect(isOffline(away(100_000 - MINUTE), false)).to.equal(true);
    expect(isOffline(away(100_000 - 60 * MINUTE), true)).to.equal(false);
  });

  const ENDS: readonly [string, number, ReturnType<typeof away>, Partial<typeof PATIENCE>][] = [
    ['at its deadline while the tunnel is there', 220_000, CONNECTED, {}],
    [
      'never while the tunnel is there and it has no deadline',
      Number.POSITIVE_INFINITY,
      CONNECTED,
      { deadlineMs: Number.POSITIVE_INFINITY },
    ],
    ['a grace after it came, when the tunnel had left before', 110_000, away(50_000), {}],
    ['a grace after the tunnel left, when it came before', 115_000, away(105_000), {}],
    ['at its deadline when that is sooner than the grace', 101_000, away(50_000), { deadlineMs: 101_000 }],
    ['a grace after it came, when the tunnel never was there', 110_000, away(undefined), {}],
    ['after 25 s when it is a watch', 125_000, away(50_000), { isWatch: true, deadlineMs: Number.POSITIVE_INFINITY }],
  ];
  for (const [when, atMs, absence, changes] of ENDS) {
    it(`gives up ${when}`, () => {
      expect(giveUpAtMs(absence, { ...PATIENCE, ...changes })).to.equal(atMs);
    });
  }

  it('says who was missing: a worker, the tunnel for a moment, the tunnel for long', () => {
    expect(gaveUp('c1', CONNECTED, false, 0)).to.include({ code: 'queue_timeout', status: 429 });
    expect(gaveUp('c1', away(95_000), false, 0)).to.include({
      code: 'cluster_reconnecting',
      status: 503,
      retryAfterSeconds: 5,
    });
    expect(gaveUp('c1', away(0), false, 0)).to.include({ code: 'cluster_offline', status: 503 });
    expect(gaveUp('c1', away(0), false, 0)).to.not.have.property('retryAfterSeconds');
  });

  it('spreads the return of watches over 2 to 8 whole seconds', () => {
    const seconds = [0, 0.15, 0.5, 0.999].map((random) => gaveUp('c1', away(95_000), true, random).retryAfterSeconds);
    expect(seconds).to.deep.equal([2, 3, 5, 8]);
  });

  it('points at kubectl describe', () => {
    expect(offline('c1').message).to.contain('kubectl describe clustertunnel c1');
  });
});
