import { expect } from 'chai';
import {
  gaveUp,
  giveUpAtMs,
  isOffline,
  offline,
  type Patience,
  refusedAtOnce,
  suspended,
} from '../../../../operator/gateway/admission/absence.ts';
import { rowOf } from '../../../../operator/gateway/front/fault.ts';

const MINUTE = 60_000;
const PATIENCE: Patience = { isWatch: false, enteredMs: 100_000, deadlineMs: 220_000, disconnectGraceMs: 10_000 };
const away = (awaySinceMs: number | undefined, nowMs = 100_000) => ({
  nowMs,
  isConnected: false,
  awaySinceMs,
  isSuspended: false,
  isGone: false,
});
const CONNECTED = { nowMs: 100_000, isConnected: true, awaySinceMs: undefined, isSuspended: false, isGone: false };
const ASKED = { tunnel: 'c1', path: '/api', isWatch: false };

describe('operator/gateway/admission/absence', () => {
  it('is never offline while connected', () => {
    expect(isOffline(CONNECTED, false)).to.equal(false);
    expect(isOffline(CONNECTED, true)).to.equal(false);
  });

  it('is offline while suspended, for a watch too, though sessions still finish what runs', () => {
    for (const absence of [CONNECTED, away(undefined), away(95_000)]) {
      expect(isOffline({ ...absence, isSuspended: true }, false)).to.equal(true);
      expect(isOffline({ ...absence, isSuspended: true }, true)).to.equal(true);
    }
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

  const ENDS: readonly [string, number, ReturnType<typeof away>, Partial<Patience>][] = [
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
    ['a grace after the tunnel left, when there is another way', 60_000, away(50_000), { hasFallback: true }],
    ['a watch too', 60_000, away(50_000), { hasFallback: true, isWatch: true }],
    ['at its deadline while the tunnel is there and another way too', 220_000, CONNECTED, { hasFallback: true }],
    ['after 25 s when it is a watch', 125_000, away(50_000), { isWatch: true, deadlineMs: Number.POSITIVE_INFINITY }],
  ];
  for (const [when, atMs, absence, changes] of ENDS) {
    it(`gives up ${when}`, () => {
      expect(giveUpAtMs(absence, { ...PATIENCE, ...changes })).to.equal(atMs);
    });
  }

  it('does not begin to wait where another way is open and the grace is over', () => {
    const patience = { ...PATIENCE, hasFallback: true };
    const told = (absence: typeof CONNECTED | ReturnType<typeof away>, said: Patience) =>
      refusedAtOnce(ASKED, absence, said, 0)?.kind;
    expect(told(away(90_000), patience)).to.equal('cluster_reconnecting');
    expect(told(away(90_001), patience)).to.equal(undefined);
    expect(told({ ...CONNECTED, nowMs: 999_000 }, patience)).to.equal(undefined);
    expect(told(away(90_000), PATIENCE)).to.equal(undefined);
    expect(told(away(0), PATIENCE)).to.equal('cluster_offline');
  });

  it('says who was missing: a worker, the tunnel for a moment, the tunnel for long', () => {
    const told = [CONNECTED, away(95_000), away(0)].map((absence) => gaveUp(ASKED, absence, 0));
    expect(told.map(({ kind }) => kind)).to.deep.equal(['queue_timeout', 'cluster_reconnecting', 'cluster_offline']);
    for (const error of told) expect(error).to.include({ tunnel: 'c1', path: '/api', retryable: true });
  });

  it('says that a tunnel is suspended, and what to do, whoever is there', () => {
    for (const absence of [CONNECTED, away(95_000), away(0)]) {
      const message = 'tunnel "c1" is suspended: set spec.suspend to false to use it';
      const told = gaveUp(ASKED, { ...absence, isSuspended: true }, 0);
      expect(told).to.include({ kind: 'cluster_offline', tunnel: 'c1', path: '/api', message });
      expect(offline(ASKED, { ...absence, isSuspended: true }).message).to.equal(message);
    }
    expect(rowOf(suspended(ASKED).kind)).to.include({ status: 503 });
    expect(rowOf(suspended(ASKED).kind)).to.not.have.property('retryAfterSeconds');
  });

  it('says that a tunnel is gone, whatever else it was, and lets nobody wait for it', () => {
    for (const absence of [CONNECTED, away(95_000), away(undefined)]) {
      const gone = { ...absence, isSuspended: true, isGone: true };
      for (const isWatch of [true, false]) expect(isOffline(gone, isWatch)).to.equal(true);
      expect(gaveUp(ASKED, gone, 0)).to.include({ kind: 'not_found', tunnel: 'c1', path: '/api' });
      expect(offline(ASKED, gone)).to.include({ kind: 'not_found' });
    }
  });

  it('spreads the return of watches over 2 to 8 whole seconds', () => {
    const told = [0, 0.15, 0.5, 0.999].map((random) => gaveUp({ ...ASKED, isWatch: true }, away(95_000), random));
    expect(told.map(({ kind }) => kind)).to.deep.equal(Array(4).fill('watch_held'));
    expect(told.map(({ retryAfterSeconds }) => retryAfterSeconds)).to.deep.equal([2, 3, 5, 8]);
  });

  it('points at kubectl describe', () => {
    expect(offline(ASKED, away(0)).message).to.contain('kubectl describe clustertunnel c1');
  });
});
