import { expect } from 'chai';
import fc from 'fast-check';
import { type CircuitBreakerSettings, DEFAULT_CIRCUIT_BREAKER } from '../../../../crds/circuit-breaker.ts';
import {
  type Circuit,
  CLOSED,
  elapsed,
  failed,
  openUntilMs,
  probeBegan,
  probeEnded,
  reached,
  retryAfterSeconds,
} from '../../../../operator/gateway/admission/circuit.ts';

const SETTINGS = DEFAULT_CIRCUIT_BREAKER;

/** One failure at this time. */
function fail(circuit: Circuit, atMs: number, lostSession?: string, settings = SETTINGS): Circuit {
  return failed(circuit, { atMs, lostSession, detail: `at ${atMs}` }, settings, { nowMs: atMs, random: 0.5 });
}

function failAt(times: readonly number[], circuit: Circuit = CLOSED): Circuit {
  return times.reduce((now, atMs) => fail(now, atMs), circuit);
}

const OPEN = failAt([1, 2, 3, 4, 5]);

/** The probe of a circuit that was open for long enough. */
function probed(circuit: Circuit, event: Parameters<typeof probeEnded>[1], random = 0.5): Circuit {
  const nowMs = openUntilMs(circuit, SETTINGS);
  return probeEnded(probeBegan(elapsed(circuit, SETTINGS, nowMs)), event, { nowMs, random });
}

describe('operator/gateway/admission/circuit', () => {
  it('opens at the threshold, and tells what the last failure was', () => {
    expect(failAt([1, 2, 3, 4]).state).to.equal('closed');
    expect(OPEN).to.include({ state: 'open', cause: 'at 5', openedAtMs: 5, openings: 1 });
  });

  it('counts failures in a row only: one request that gets through makes all well', () => {
    expect(reached(failAt([1, 2, 3, 4]))).to.equal(CLOSED);
    expect(failAt([5, 6, 7, 8], reached(failAt([1, 2, 3, 4]))).state).to.equal('closed');
  });

  it('does not count what failed before the window', () => {
    expect(failAt([0, 2_500, 5_000, 7_500, 10_000]).state).to.equal('closed');
    expect(failAt([1, 2_500, 5_000, 7_500, 10_000]).state).to.equal('open');
  });

  it('counts a lost session once, however many requests it took', () => {
    let circuit = CLOSED;
    for (let at = 0; at < 100; at++) circuit = fail(circuit, 1, 'one');
    expect(circuit.failures).to.have.length(1);
    for (const session of ['two', 'three', 'four', 'five']) circuit = fail(circuit, 2, session);
    expect(circuit.state).to.equal('open');
  });

  it('takes the threshold and the window of the moment', () => {
    const two = { ...SETTINGS, failureThreshold: 2 };
    expect(fail(failAt([1, 2, 3]), 4, undefined, two).state).to.equal('open');
    expect(fail(failAt([1, 2, 3, 4]), 1_004, undefined, { ...SETTINGS, windowMs: 1_000 }).failures).to.have.length(1);
  });

  it('knows nothing new from requests that end while it is not closed', () => {
    expect(fail(OPEN, 6)).to.equal(OPEN);
    expect(reached(OPEN)).to.equal(OPEN);
  });

  it('lets a probe go when it was open for as long as the spec says now', () => {
    expect(elapsed(OPEN, SETTINGS, 5_004).state).to.equal('open');
    expect(elapsed(OPEN, SETTINGS, 5_005).state).to.equal('halfOpen');
    expect(elapsed(OPEN, { ...SETTINGS, openMs: 1_000 }, 1_005).state).to.equal('halfOpen');
  });

  it('closes when the probe gets through, and has forgotten everything', () => {
    expect(probed(OPEN, 'probeSucceeded')).to.equal(CLOSED);
    expect(probed(probed(OPEN, 'probeFailed'), 'probeSucceeded')).to.equal(CLOSED);
  });

  it('opens for twice as long each time that the probe fails, up to maxOpenDuration', () => {
    const durations = [];
    for (let circuit = OPEN, at = 0; at < 9; at++, circuit = probed(circuit, 'probeFailed')) {
      durations.push(openUntilMs(circuit, SETTINGS) - circuit.openedAtMs);
    }
    const seconds = durations.map((ms) => Math.round(ms / 1_000));
    expect(seconds).to.deep.equal([5, 10, 20, 40, 80, 160, 300, 300, 300]);
  });

  it('lets another probe go when one told nothing', () => {
    const circuit = probed(OPEN, 'probeVanished');
    expect(circuit).to.include({ state: 'halfOpen', openings: 1, cause: 'at 5' });
  });

  it('tells how long to wait: whole seconds, rounded up, at least 1', () => {
    const at = (nowMs: number) => retryAfterSeconds(OPEN, SETTINGS, nowMs);
    expect([at(5), at(6), at(4_005), at(4_006), at(5_005), at(9_000)]).to.deep.equal([5, 5, 1, 1, 1, 1]);
    expect(retryAfterSeconds(elapsed(OPEN, SETTINGS, 5_005), SETTINGS, 5_005)).to.equal(1);
  });

  it('property: every opening is within 10 % of what its place says, and never beyond maxOpenDuration', () => {
    const settings = fc
      .record({ openMs: fc.integer({ min: 1_000, max: 3_600_000 }), factor: fc.integer({ min: 1, max: 100 }) })
      .map(({ openMs, factor }): CircuitBreakerSettings => ({ ...SETTINGS, openMs, maxOpenMs: openMs * factor }));
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(settings, random, fc.integer({ min: 1, max: 5_000 }), (spec, dice, openings) => {
        const openMs = openUntilMs({ ...OPEN, openedAtMs: 0, openings, random: dice }, spec);
        const plainMs = Math.min(spec.maxOpenMs, spec.openMs * 2 ** (openings - 1));
        expect(openMs).to.be.within(plainMs * 0.9, Math.min(plainMs * 1.1, spec.maxOpenMs));
      }),
    );
  });
});
