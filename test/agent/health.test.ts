import { expect } from 'chai';
import { Health } from '../../agent/health.ts';
import type { ProbeResult } from '../../agent/probe.ts';
import type { HealthReport } from '../../crds/health-report.ts';
import { silentLogger } from '../../process/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { turn } from '../support/transport-pair.ts';

const WELL: ProbeResult = {
  isHealthy: true,
  reason: 'Healthy',
  message: 'the API server is ready',
  kubernetesVersion: 'v1.34.1',
  latencyMs: 3,
};
const ILL: ProbeResult = { ...WELL, isHealthy: false, reason: 'Timeout', message: 'no answer' };

describe('agent/health', () => {
  let clock: ManualClock;
  let found: ProbeResult;
  let probes: number;
  let sent: { readonly atMs: number; readonly report: HealthReport }[];
  let health: Health;
  let everyMs: number;

  /** Starts at 0 of the times in `sent`, with its first finding. */
  const start = async (intervalMs: number) => {
    clock = new ManualClock();
    const zeroMs = clock.nowMs();
    found = WELL;
    everyMs = intervalMs;
    probes = 0;
    sent = [];
    health = new Health({
      probe: async () => {
        probes += 1;
        return found;
      },
      lastAnswerMs: () => undefined,
      intervalMs: () => everyMs,
      counts: () => ({ inFlight: 0, queued: 0, upstreamErrors: 0 }),
      send: (report) => sent.push({ atMs: clock.nowMs() - zeroMs, report }),
      clock,
      log: silentLogger,
    });
    health.start();
    await turn();
  };
  /** Lets time pass, and every probe of it answer. */
  const pass = async (ms: number) => {
    for (let leftMs = ms; leftMs > 0; leftMs -= 1_000) {
      clock.advance(Math.min(1_000, leftMs));
      await turn();
    }
  };
  afterEach(() => health.stop());

  for (const [intervalMs, probed] of [
    [10_000, 19],
    [45_000, 5],
    [600_000, 1],
  ] as const) {
    it(`reports every 60 s while nothing changes, probing every ${intervalMs / 1_000} s`, async () => {
      await start(intervalMs);
      await pass(3_000);
      // A new session: its reports do not fall together with the probes.
      health.report();
      await pass(180_500);
      expect(sent.map(({ atMs }) => atMs)).to.deep.equal([0, 3_000, 63_000, 123_000, 183_000]);
      expect(probes).to.equal(probed);
    });
  }

  it('reports a change at once, and counts the 60 s from there', async () => {
    await start(10_000);
    await pass(15_000);
    found = ILL;
    await pass(70_000);
    expect(sent.map(({ atMs, report }) => [atMs, report.reason])).to.deep.equal([
      [0, 'Healthy'],
      [20_000, 'Timeout'],
      [80_000, 'Timeout'],
    ]);
  });

  it('goes on probing while it is told the same interval again and again', async () => {
    await start(10_000);
    for (let round = 0; round < 60; round++) {
      await pass(6_000);
      health.reschedule();
    }
    expect(probes).to.equal(37);
  });

  for (const [what, afterMs, dueMs] of [
    ['later, the rest of it', 4_000, 5_000],
    ['and at once when it is over already', 7_000, 7_000],
  ] as const) {
    it(`counts a shorter interval from the last probe: ${what}`, async () => {
      await start(10_000);
      await pass(afterMs);
      everyMs = 5_000;
      health.reschedule();
      await pass(dueMs - afterMs);
      clock.advance(0);
      await turn();
      expect(probes).to.equal(2);
      await pass(4_000);
      expect(probes).to.equal(2);
      await pass(1_000);
      expect(probes).to.equal(3);
    });
  }

  it('counts a longer interval from the last probe', async () => {
    await start(10_000);
    await pass(9_000);
    everyMs = 20_000;
    health.reschedule();
    await pass(10_000);
    expect(probes).to.equal(1);
    await pass(1_000);
    expect(probes).to.equal(2);
  });

  it('says nothing once it was stopped', async () => {
    await start(10_000);
    health.stop();
    await pass(120_000);
    expect(sent).to.have.length(1);
    expect(clock.pending, 'timers').to.equal(0);
  });
});
