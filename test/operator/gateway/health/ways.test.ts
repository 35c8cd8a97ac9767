import { expect } from 'chai';
import { DEFAULT_CACHE } from '../../../../crds/cache.ts';
import { DEFAULT_CIRCUIT_BREAKER } from '../../../../crds/circuit-breaker.ts';
import type { HealthSettings } from '../../../../crds/health.ts';
import { Ways } from '../../../../operator/gateway/health/ways.ts';
import type { Hear } from '../../../../operator/gateway/sessions/overheard.ts';
import type { TunnelView } from '../../../../operator/gateway/sessions/tunnels.ts';
import { silentLogger } from '../../../../process/log.ts';
import { SETTINGS } from '../../../support/gateway-fixture.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

const HEALTH: HealthSettings = { intervalMs: 10_000, timeoutMs: 5_000, failureThreshold: 3 };

/** Ways whose tunnels, time and probes are the test's. */
class Rig {
  readonly clock = new ManualClock();
  readonly views = new Map<string, TunnelView>();
  readonly changes: string[] = [];
  /** Probes, in order; each is told how it went. */
  readonly asked: Hear[] = [];
  readonly timeoutsMs: number[] = [];
  isConnected = true;
  isAwaited = false;
  isCircuitOpen = false;
  hasWorker = true;
  readonly ways = new Ways({
    tunnels: { get: (name) => this.views.get(name) },
    isConnected: () => this.isConnected,
    isAwaited: () => this.isAwaited,
    isCircuitOpen: () => this.isCircuitOpen,
    ask: (_, timeoutMs, hear) => {
      if (this.hasWorker) {
        this.asked.push(hear);
        this.timeoutsMs.push(timeoutMs);
      }
      return this.hasWorker;
    },
    clock: this.clock,
    log: silentLogger,
    onChange: (tunnel) => this.changes.push(tunnel),
  });

  constructor() {
    this.change();
    this.ways.roomCame('c1');
  }

  change(health: Partial<HealthSettings> = {}, changes: Partial<TunnelView> = {}): void {
    const fresh = { name: 'c1', uid: 'uid-c1', isDeleting: false, isSuspended: false, settings: SETTINGS };
    const rest = { circuitBreaker: DEFAULT_CIRCUIT_BREAKER, cache: DEFAULT_CACHE, health: { ...HEALTH, ...health } };
    this.views.set('c1', { ...fresh, ...rest, ...changes });
    this.ways.tunnelChanged('c1');
  }

  get state(): string | undefined {
    return this.ways.facts('c1')?.state;
  }

  /** The probe under way ends so. */
  answer(...how: Parameters<Hear>): void {
    this.asked.at(-1)?.(...how);
  }

  /** Intervals pass, and each probe of them ends so. */
  pass(intervals: number, ...how: Parameters<Hear> | []): void {
    const [outcome = 'given up', status] = how;
    for (let at = 0; at < intervals; at++) {
      const { length } = this.asked;
      this.clock.advance(HEALTH.intervalMs);
      if (this.asked.length > length) this.answer(outcome, status);
    }
  }
}

describe('operator/gateway/health/ways', () => {
  let rig: Rig;
  beforeEach(() => {
    rig = new Rig();
  });

  it('asks as soon as a session is there, and then once an interval', () => {
    expect([rig.asked.length, rig.state]).to.deep.equal([1, 'unseen']);
    rig.answer('answered', 200);
    expect([rig.state, rig.changes]).to.deep.equal(['open', ['c1']]);
    rig.pass(3, 'answered', 200);
    expect([rig.asked.length, rig.changes, rig.timeoutsMs[3]]).to.deep.equal([4, ['c1'], HEALTH.timeoutMs]);
  });

  it('asks nothing while users are answered', () => {
    rig.answer('answered', 200);
    for (let at = 0; at < 100; at++) {
      rig.clock.advance(HEALTH.intervalMs - 1_000);
      rig.ways.sent('c1')('answered', 404);
    }
    expect(rig.asked.length).to.equal(1);
    rig.clock.advance(HEALTH.intervalMs - 1);
    expect(rig.asked.length).to.equal(1);
    rig.clock.advance(1);
    expect(rig.asked.length).to.equal(2);
  });

  it('takes no answer of a broken API server, and no cancelled request, for a success', () => {
    rig.answer('answered', 200);
    rig.clock.advance(HEALTH.intervalMs / 2);
    for (const status of [401, 500, 503]) rig.ways.sent('c1')('answered', status);
    rig.ways.sent('c1')('given up');
    rig.clock.advance(HEALTH.intervalMs / 2);
    expect(rig.asked.length).to.equal(2);
  });

  it('has one probe at a time, however long it takes', () => {
    rig.clock.advance(10 * HEALTH.intervalMs);
    expect(rig.asked.length).to.equal(1);
    rig.answer('given up');
    rig.clock.advance(0);
    expect(rig.asked.length).to.equal(2);
  });

  it('is failing after as many probes as failureThreshold says, and open at the first success', () => {
    rig.answer('answered', 200);
    rig.pass(2, 'given up');
    expect(rig.state).to.equal('open');
    rig.pass(1, 'answered', 500);
    expect(rig.ways.facts('c1')).to.include({ state: 'failing', detail: 'the API server answered 500 to /version' });
    rig.ways.sent('c1')('answered', 200);
    expect([rig.state, rig.changes.length]).to.deep.equal(['open', 3]);
  });

  for (const [what, fill] of [
    ['no worker is free', () => Object.assign(rig, { hasWorker: false })],
    ['users wait for one', () => Object.assign(rig, { isAwaited: true })],
  ] as const) {
    it(`is saturated, not failing, when ${what}; it takes none from them`, () => {
      rig.answer('answered', 200);
      fill();
      rig.pass(HEALTH.failureThreshold - 1);
      expect(rig.state).to.equal('open');
      rig.pass(7);
      expect([rig.state, rig.asked.length, rig.changes.length]).to.deep.equal(['saturated', 1, 2]);
      rig.ways.sent('c1')('answered', 200);
      expect(rig.state).to.equal('open');
    });
  }

  it('leaves the question to the circuit breaker while the circuit is open', () => {
    rig.answer('answered', 200);
    rig.isCircuitOpen = true;
    rig.pass(5);
    expect([rig.asked.length, rig.state]).to.deep.equal([1, 'open']);
    rig.isCircuitOpen = false;
    rig.pass(1);
    expect(rig.asked.length).to.equal(2);
  });

  it('follows settings that change', () => {
    rig.answer('answered', 200);
    rig.clock.advance(2_000);
    rig.change({ intervalMs: 3_000, timeoutMs: 700, failureThreshold: 1 });
    rig.clock.advance(999);
    expect(rig.asked.length).to.equal(1);
    rig.clock.advance(1);
    expect([rig.asked.length, rig.timeoutsMs[1]]).to.deep.equal([2, 700]);
    rig.answer('given up');
    expect(rig.state).to.equal('failing');
    rig.change({ intervalMs: 60_000 });
    expect(rig.state).to.equal('open');
    rig.clock.advance(60_000 - 3_000 - 1);
    expect(rig.asked.length).to.equal(2);
    rig.clock.advance(1);
    expect(rig.asked.length).to.equal(3);
  });

  for (const [what, go] of [
    ['suspended', () => rig.change({}, { isSuspended: true })],
    ['being deleted', () => rig.change({}, { isDeleting: true })],
    ['another of the same name', () => rig.change({}, { uid: 'uid-2' })],
    ['without a session', () => rig.ways.forget('c1')],
  ] as const) {
    it(`keeps nothing of a tunnel that is ${what}, and a late answer changes nothing`, () => {
      const probe = rig.asked[0];
      go();
      probe?.('answered', 200);
      expect([rig.ways.size, rig.state, rig.clock.pending]).to.deep.equal([0, undefined, 0]);
    });
  }

  it('stops when the last session leaves, and begins anew with the next', () => {
    rig.answer('answered', 200);
    rig.isConnected = false;
    rig.clock.advance(HEALTH.intervalMs);
    expect([rig.ways.size, rig.clock.pending]).to.deep.equal([0, 0]);
    rig.isConnected = true;
    rig.ways.roomCame('c1');
    expect([rig.asked.length, rig.state]).to.deep.equal([2, 'unseen']);
  });

  it('asks nothing of a tunnel that says nothing of health', () => {
    rig.change({}, { health: undefined as never });
    rig.ways.roomCame('c1');
    expect([rig.ways.size, rig.asked.length]).to.deep.equal([0, 1]);
  });

  it('counts how its looks ended', () => {
    rig.answer('answered', 200);
    rig.pass(1, 'given up');
    rig.hasWorker = false;
    rig.pass(1);
    rig.ways.sent('c1')('answered', 200);
    rig.isCircuitOpen = true;
    rig.clock.advance(2 * HEALTH.intervalMs);
    const { spared, ...rest } = rig.ways.counts;
    expect(rest).to.deep.equal({ reached: 1, failed: 1, saturated: 1 });
    expect(spared).to.be.greaterThan(0);
  });
});
