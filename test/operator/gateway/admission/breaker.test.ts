import { expect } from 'chai';
import fc from 'fast-check';
import { DEFAULT_CACHE } from '../../../../crds/cache.ts';
import { DEFAULT_CIRCUIT_BREAKER } from '../../../../crds/circuit-breaker.ts';
import { Breaker } from '../../../../operator/gateway/admission/breaker.ts';
import type { Passer } from '../../../../operator/gateway/admission/circuit-refusal.ts';
import type { Outcome } from '../../../../operator/gateway/sessions/overheard.ts';
import type { TunnelView } from '../../../../operator/gateway/sessions/tunnels.ts';
import { silentLogger } from '../../../../process/log.ts';
import { StreamError } from '../../../../tunnel/errors.ts';
import { ErrorCode } from '../../../../tunnel/wire/codes.ts';
import { SETTINGS } from '../../../support/gateway-fixture.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

const OPEN_MS = 5_000;
const ASK_AFTER_MS = 1_000;
const PROBE_MS = SETTINGS.timeouts.connectMs + 5_000;
const READ: Passer = { tunnel: 'c1', path: '/api/v1/pods', isWatch: false, mayProbe: true };
const WRITE: Passer = { ...READ, mayProbe: false };

function errorOf(code: number): StreamError {
  return new StreamError({ streamId: 1, code, origin: 'remote', execution: 'unknown', detail: 'refused' });
}
const UNREACHABLE = errorOf(ErrorCode.UpstreamUnreachable);

/** A breaker whose tunnels, time and own questions are the test's. */
class Rig {
  readonly clock = new ManualClock();
  readonly views = new Map<string, TunnelView>();
  readonly changes: string[] = [];
  /** Its own questions that are under way. */
  readonly asked: ((outcome: Outcome) => void)[] = [];
  canAsk = true;
  readonly breaker = new Breaker({
    tunnels: { get: (name) => this.views.get(name) },
    ask: (_view, _timeoutMs, hear) => {
      if (this.canAsk) this.asked.push(hear);
      return this.canAsk;
    },
    clock: this.clock,
    random: () => 0.5,
    log: silentLogger,
    onChange: (tunnel) => this.changes.push(tunnel),
  });

  constructor() {
    this.change('c1');
    this.change('c2');
  }

  change(name: string, changes: Partial<TunnelView> = {}): void {
    const circuitBreaker = DEFAULT_CIRCUIT_BREAKER;
    const fresh = { name, uid: `uid-${name}`, isDeleting: false, isSuspended: false, settings: SETTINGS };
    this.views.set(name, { ...fresh, circuitBreaker, cache: DEFAULT_CACHE, ...changes });
    this.breaker.tunnelChanged(name);
  }

  remove(name: string): void {
    this.views.delete(name);
    this.breaker.tunnelChanged(name);
  }

  /** One request that goes, and ends so; false: it was refused. */
  pass(passer: Passer, outcome: Outcome, session = 'session'): boolean {
    if (this.breaker.refusal(passer) !== undefined) return false;
    this.breaker.sent(passer, session)(outcome);
    return true;
  }

  open(tunnel = 'c1'): void {
    for (let at = 0; at < 5; at++) this.pass({ ...WRITE, tunnel }, UNREACHABLE);
    expect(this.breaker.state(tunnel)).to.equal('open');
  }

  halfOpen(): void {
    this.open();
    this.clock.advance(OPEN_MS);
    expect(this.breaker.state('c1')).to.equal('halfOpen');
  }

  told(passer: Passer) {
    const { code, kind, retryAfterSeconds } = this.breaker.refusal(passer) ?? {};
    return { code, kind, retryAfterSeconds };
  }
}

describe('operator/gateway/admission/breaker', () => {
  let rig: Rig;
  beforeEach(() => {
    rig = new Rig();
  });

  it('keeps nothing and waits for nothing while all is well', () => {
    for (let at = 0; at < 100; at++) rig.pass(READ, at % 2 === 0 ? 'answered' : 'given up');
    expect([rig.breaker.size, rig.clock.pending]).to.deep.equal([0, 0]);
    rig.pass(READ, UNREACHABLE);
    expect(rig.breaker.size).to.equal(1);
    rig.pass(READ, 'answered');
    expect([rig.breaker.size, rig.clock.pending, rig.changes]).to.deep.equal([0, 0, []]);
  });

  it('refuses from the fifth failure on, with the time that is left, whoever asks', () => {
    rig.open();
    rig.clock.advance(1_500);
    for (const passer of [READ, WRITE]) {
      expect(rig.told(passer)).to.deep.equal({ code: 'circuit_open', kind: 'circuit_open', retryAfterSeconds: 4 });
    }
    expect(rig.breaker.refusal(READ)?.message).to.contain('the last: refused');
    expect([rig.changes, rig.breaker.facts('c1')]).to.deep.equal([['c1'], { cause: 'refused' }]);
  });

  it('tells a watch 429, as when the tunnel is away', () => {
    rig.open();
    const told = { code: 'circuit_open', kind: 'circuit_open_watch', retryAfterSeconds: 5 };
    expect(rig.told({ ...WRITE, isWatch: true })).to.deep.equal(told);
  });

  it('leaves the neighbours alone', () => {
    rig.open();
    expect(rig.breaker.refusal({ ...WRITE, tunnel: 'c2' })).to.equal(undefined);
    expect(rig.breaker.facts('c2')).to.equal(undefined);
  });

  it('lets one read try when the time is over, and nobody else until it is told how that went', () => {
    rig.halfOpen();
    expect(rig.breaker.refusal(WRITE)?.retryAfterSeconds).to.equal(1);
    expect(rig.breaker.refusal(READ)).to.equal(undefined);
    const told = rig.breaker.sent(READ, 'session');
    expect(rig.told(READ)).to.include({ code: 'circuit_open', retryAfterSeconds: 1 });
    told('answered');
    expect([rig.breaker.state('c1'), rig.breaker.refusal(WRITE)]).to.deep.equal(['closed', undefined]);
    expect([rig.changes, rig.breaker.facts('c1'), rig.clock.pending]).to.deep.equal([['c1', 'c1'], undefined, 0]);
  });

  it('opens again for twice as long when the probe fails, and is the same to the outside', () => {
    rig.halfOpen();
    rig.pass(READ, UNREACHABLE);
    expect(rig.told(READ).retryAfterSeconds).to.equal(10);
    expect([rig.changes, rig.breaker.sample('c1').openings]).to.deep.equal([['c1'], 2]);
  });

  it('asks by itself when nobody does, and closes on an answer', () => {
    rig.halfOpen();
    rig.clock.advance(ASK_AFTER_MS - 1);
    expect(rig.asked).to.have.length(0);
    rig.clock.advance(1);
    expect(rig.asked).to.have.length(1);
    expect(rig.breaker.refusal(READ)?.code, 'its own probe is the one').to.equal('circuit_open');
    rig.asked[0]?.('answered');
    expect([rig.breaker.state('c1'), rig.clock.pending]).to.deep.equal(['closed', 0]);
  });

  it('asks again when its question told nothing', () => {
    rig.halfOpen();
    rig.clock.advance(ASK_AFTER_MS);
    rig.asked[0]?.('given up');
    expect(rig.breaker.state('c1')).to.equal('halfOpen');
    rig.clock.advance(ASK_AFTER_MS);
    expect(rig.asked).to.have.length(2);
  });

  it('asks when a session comes, if none was there', () => {
    rig.canAsk = false;
    rig.halfOpen();
    rig.clock.advance(ASK_AFTER_MS);
    rig.canAsk = true;
    rig.breaker.roomCame('c1');
    rig.clock.advance(ASK_AFTER_MS / 2);
    rig.breaker.roomCame('c1');
    rig.clock.advance(ASK_AFTER_MS / 2);
    expect(rig.asked, 'room that comes all the time does not put it off').to.have.length(1);
  });

  it('asks again by and by when it could not and nothing comes', () => {
    rig.canAsk = false;
    rig.halfOpen();
    rig.clock.advance(60_000);
    expect(rig.breaker.state('c1')).to.equal('halfOpen');
    rig.canAsk = true;
    rig.clock.advance(10_000);
    expect(rig.asked).to.have.length(1);
  });

  it('takes its own probe for failed of which nothing is heard in time, whatever it tells later', () => {
    rig.halfOpen();
    rig.clock.advance(ASK_AFTER_MS);
    rig.clock.advance(PROBE_MS - 1);
    expect(rig.breaker.state('c1')).to.equal('probing');
    rig.clock.advance(1);
    expect([rig.breaker.state('c1'), rig.breaker.sample('c1').openings]).to.deep.equal(['open', 2]);
    rig.asked[0]?.('answered');
    expect(rig.breaker.state('c1')).to.equal('open');
  });

  for (const [when, waitMs, asked] of [
    ['before the gateway asks itself', PROBE_MS, 0],
    ['while the gateway asks itself', PROBE_MS + ASK_AFTER_MS, 1],
  ] as const) {
    it(`learns nothing from a read that takes long, and closes when it gets through ${when}`, () => {
      rig.halfOpen();
      const told = rig.breaker.sent(READ, 'session');
      rig.clock.advance(waitMs);
      expect([rig.asked.length, rig.breaker.sample('c1').openings]).to.deep.equal([asked, 1]);
      told('answered');
      expect(rig.breaker.state('c1')).to.equal('closed');
      for (const hear of rig.asked) hear(UNREACHABLE);
      expect([rig.breaker.state('c1'), rig.breaker.sample('c1').openings]).to.deep.equal(['closed', 1]);
    });
  }

  it('believes its own probe more than a read that was sent before it', () => {
    rig.halfOpen();
    const told = rig.breaker.sent(READ, 'session');
    rig.clock.advance(PROBE_MS + ASK_AFTER_MS);
    rig.asked[0]?.(UNREACHABLE);
    told('answered');
    expect(rig.breaker.state('c1')).to.equal('open');
  });

  it('learns nothing from requests of before it opened', () => {
    const [early, late] = [rig.breaker.sent(READ, 'session'), rig.breaker.sent(READ, 'session')];
    rig.open();
    early('answered');
    expect(rig.breaker.state('c1')).to.equal('open');
    rig.clock.advance(OPEN_MS);
    late(UNREACHABLE);
    expect(rig.breaker.state('c1')).to.equal('halfOpen');
  });

  it('follows a changed spec in its next decision, and at once while it is open', () => {
    rig.open();
    rig.change('c1', { circuitBreaker: { ...DEFAULT_CIRCUIT_BREAKER, openMs: 60_000 } });
    rig.clock.advance(OPEN_MS);
    expect(rig.told(READ).retryAfterSeconds).to.equal(55);
    rig.change('c1', { circuitBreaker: { ...DEFAULT_CIRCUIT_BREAKER, openMs: 1_000 } });
    rig.clock.advance(0);
    expect(rig.breaker.state('c1')).to.equal('halfOpen');
    rig.pass(READ, 'answered');
    rig.change('c1', { circuitBreaker: { ...DEFAULT_CIRCUIT_BREAKER, failureThreshold: 1 } });
    rig.pass(WRITE, UNREACHABLE);
    expect(rig.breaker.state('c1')).to.equal('open');
  });

  for (const [what, change] of [
    ['is deleted', (of: Rig) => of.remove('c1')],
    ['is being deleted', (of: Rig) => of.change('c1', { isDeleting: true })],
  ] as const) {
    it(`keeps nothing of a tunnel that ${what}, and takes nothing up again that ends late`, () => {
      const late = rig.breaker.sent(WRITE, 'session');
      rig.halfOpen();
      const probe = rig.breaker.sent(READ, 'session');
      change(rig);
      for (const told of [probe, late]) told(errorOf(ErrorCode.SessionLost));
      expect([rig.breaker.size, rig.clock.pending]).to.deep.equal([0, 0]);
    });
  }

  it('begins anew for a namesake, and for a tunnel that was suspended', () => {
    rig.open();
    rig.change('c1', { uid: 'another' });
    expect(rig.breaker.state('c1')).to.equal('closed');
    rig.open();
    rig.change('c1', { uid: 'another', isSuspended: true });
    expect([rig.breaker.state('c1'), rig.clock.pending]).to.deep.equal(['closed', 0]);
  });

  it('property: never two probes at once, no refusal while closed, and what is open ends within its time', () => {
    const outcome = fc.constantFrom<Outcome>('answered', 'given up', UNREACHABLE, errorOf(ErrorCode.SessionLost));
    const step = fc.oneof(
      fc.record({ mayProbe: fc.boolean() }),
      fc.record({ end: fc.nat(20), outcome }),
      fc.record({ waitMs: fc.integer({ min: 0, max: 20_000 }) }),
      fc.record({ canAsk: fc.boolean() }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150, size: 'max' }), (steps) => {
        const walk = new Walk();
        for (const each of steps) walk.step(each);
        walk.end();
      }),
    );
  }).timeout(20_000);
});

type Step = { mayProbe: boolean } | { end: number; outcome: Outcome } | { waitMs: number } | { canAsk: boolean };

/** Requests that come and end as they like. */
class Walk {
  readonly #rig = new Rig();
  #running: ((outcome: Outcome) => void)[] = [];
  #probes = 0;
  #sessions = 0;

  step(step: Step): void {
    if ('mayProbe' in step) this.#come(step.mayProbe);
    else if ('end' in step) this.#finish(step.end, step.outcome);
    else if ('canAsk' in step) this.#room(step.canAsk);
    else this.#rig.clock.advance(step.waitMs);
    if (this.#rig.breaker.state('c1') !== 'probing') this.#probes = 0;
    expect(this.#probes).to.be.at.most(1);
    expect(this.#rig.clock.pending).to.be.at.most(1);
  }

  /** Whatever happened: once requests get through again it is closed. */
  end(): void {
    const { clock, breaker, asked } = this.#rig;
    this.#room(true);
    const endMs = clock.nowMs() + DEFAULT_CIRCUIT_BREAKER.maxOpenMs + ASK_AFTER_MS + PROBE_MS;
    while (breaker.facts('c1') !== undefined && clock.nowMs() < endMs) {
      clock.advance(ASK_AFTER_MS);
      for (const hear of asked) hear('answered');
    }
    for (const running of this.#running) running('answered');
    expect(breaker.state('c1')).to.equal('closed');
    expect(clock.pending).to.equal(0);
  }

  #come(mayProbe: boolean): void {
    const { breaker } = this.#rig;
    const passer = { ...READ, mayProbe };
    const before = breaker.state('c1');
    const isRefused = breaker.refusal(passer) !== undefined;
    expect(isRefused).to.equal(before !== 'closed' && !(before === 'halfOpen' && mayProbe));
    if (isRefused) return;
    this.#sessions += 1;
    this.#running.push(breaker.sent(passer, `session ${this.#sessions}`));
    if (before === 'halfOpen') this.#probes += 1;
  }

  #finish(at: number, outcome: Outcome): void {
    const [running] = this.#running.splice(at % Math.max(1, this.#running.length), 1);
    if (running !== undefined) running(outcome);
    else for (const hear of this.#rig.asked.splice(0)) hear(outcome);
  }

  #room(canAsk: boolean): void {
    this.#rig.canAsk = canAsk;
    this.#rig.breaker.roomCame('c1');
  }
}
