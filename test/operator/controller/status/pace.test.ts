import { expect } from 'chai';
import type { Status } from '../../../../crds/types.ts';
import type { Observation, SessionFacts } from '../../../../operator/controller/status/observe.ts';
import { CALM, type Pace, paced } from '../../../../operator/controller/status/pace.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { observation, specOf } from './observation.ts';

const MINUTE_MS = 60_000;
const NOBODY: SessionFacts = { liveSessions: 0, gateways: 0, agents: [] };

/** A tunnel whose sessions the test plays, and a leader who looks at every change and when he meant to. */
class Rig {
  readonly clock = new ManualClock();
  readonly written: { readonly atMs: number; readonly status: Status }[] = [];
  status: Status | undefined;
  pace: Pace = CALM;
  changes: Partial<Observation> = {};
  #facts: SessionFacts = NOBODY;
  #cancel = () => {};

  see(facts: SessionFacts): void {
    this.#facts = facts;
    this.look();
  }

  /** An agent comes; its first report comes a moment later. */
  connect(): void {
    const { upstream: _, ...silent } = observation().sessions;
    this.see({ ...silent, lastDisconnect: this.#facts.lastDisconnect });
    this.clock.advance(50);
    const { sessions } = observation();
    const upstream = { ...(sessions.upstream as NonNullable<SessionFacts['upstream']>), observedAtMs: this.nowMs };
    this.see({ ...sessions, upstream, lastDisconnect: this.#facts.lastDisconnect });
  }

  disconnect(): void {
    this.see({ ...NOBODY, lastDisconnect: { time: this.clock.date().toISOString(), reason: 'SILENT' } });
  }

  /** Connected for half of the cycle, again and again. */
  flap(cycleMs: number, forMs: number): void {
    for (const endMs = this.nowMs + forMs; this.nowMs + cycleMs <= endMs; ) {
      this.disconnect();
      this.clock.advance(cycleMs / 2);
      this.connect();
      this.clock.advance(cycleMs / 2 - 50);
    }
  }

  look(): void {
    const seen = observation({ sessions: this.#facts, nowMs: this.nowMs, evidenceMaxAgeMs: 105_000, ...this.changes });
    const { status, pace, paceWritten, isDue, againMs } = paced(this.pace, seen, this.status, this.clock.date());
    const isNews = isDue && JSON.stringify(status) !== JSON.stringify(this.status);
    this.pace = isDue ? paceWritten : pace;
    if (isDue) this.status = status;
    if (isNews) this.written.push({ atMs: this.nowMs, status });
    this.#cancel();
    if (againMs !== undefined) this.#cancel = this.clock.after(againMs, () => this.look());
  }

  get nowMs(): number {
    return this.clock.nowMs();
  }

  get connected(): string {
    return connectedIn(this.status);
  }
}

function connectedIn(status: Status | undefined): string {
  const found = status?.conditions?.find(({ type }) => type === 'Connected');
  return `${found?.status}/${found?.reason}`;
}

describe('operator/controller/status/pace', () => {
  let rig: Rig;
  beforeEach(() => {
    rig = new Rig();
    rig.connect();
  });

  it('writes each change at once until the fourth in 2 minutes', () => {
    for (const [change, connected] of [
      [() => rig.disconnect(), 'False/SessionLost'],
      [() => rig.connect(), 'True/SessionOpen'],
      [() => rig.disconnect(), 'False/SessionLost'],
      [() => rig.connect(), 'True/Flapping'],
    ] as const) {
      rig.clock.advance(20_000);
      change();
      expect(rig.connected).to.equal(connected);
    }
    const { length } = rig.written;
    rig.clock.advance(1_000);
    rig.disconnect();
    expect([rig.connected, rig.written.length]).to.deep.equal(['True/Flapping', length]);
    rig.clock.advance(29_000);
    expect([rig.connected, rig.written.length]).to.deep.equal(['False/Flapping', length + 1]);
  });

  it('does not flap for changes that are further apart', () => {
    rig.flap(82_000, 10 * MINUTE_MS);
    const said = rig.written.map(({ status }) => connectedIn(status));
    expect(said).not.to.include('True/Flapping');
    expect(rig.connected).to.equal('True/SessionOpen');
  });

  for (const cycleMs of [1_000, 2_000, 7_000, 10_000, 20_000, 30_000, 45_000, 60_000, 79_000]) {
    it(`makes at most 25 writes in 10 minutes of a connection that comes back every ${cycleMs / 1_000} s`, () => {
      rig.written.length = 0;
      rig.flap(cycleMs, 10 * MINUTE_MS);
      expect(rig.written.length).to.be.within(5, 25);
      expect(rig.connected).to.match(/Flapping$/);
      const flapping = rig.written.filter(({ status }) => connectedIn(status).endsWith('Flapping'));
      const gaps = flapping.slice(1).map(({ atMs }, at) => atMs - (flapping[at]?.atMs ?? 0));
      expect(Math.min(...gaps)).to.be.at.least(30_000);
    });
  }

  it('makes at most 25 writes in 10 minutes while one of two agents comes and goes', () => {
    const { sessions } = observation();
    const one = { ...sessions, liveSessions: 1, agents: sessions.agents.slice(0, 1) };
    rig.written.length = 0;
    for (let at = 0; at < 300; at++) {
      const lastDisconnect = { time: rig.clock.date().toISOString(), reason: 'SILENT' };
      const upstream = { ...(sessions.upstream as NonNullable<SessionFacts['upstream']>), observedAtMs: rig.nowMs };
      rig.see({ ...one, upstream, lastDisconnect });
      rig.clock.advance(1_000);
      rig.see({ ...sessions, upstream, lastDisconnect });
      rig.clock.advance(1_000);
    }
    expect(rig.written.length).to.be.within(8, 25);
    expect(rig.connected).to.equal('True/SessionOpen');
  });

  it('is calm again when Connected held for 2 minutes, and says so by itself', () => {
    rig.flap(2_000, 20_000);
    expect(rig.connected).to.match(/Flapping$/);
    rig.clock.advance(2 * MINUTE_MS - 10_000);
    expect(rig.connected).to.equal('True/Flapping');
    rig.clock.advance(10_000);
    expect(rig.connected).to.equal('True/SessionOpen');
    expect(rig.clock.pending).to.equal(0);
  });

  it('tells the last state of a flapping connection within 30 s', () => {
    rig.flap(2_000, 20_000);
    rig.disconnect();
    rig.clock.advance(30_000);
    expect(rig.connected).to.equal('False/Flapping');
  });

  it('holds nothing back that somebody asked for', () => {
    rig.flap(2_000, 20_000);
    rig.changes = { generation: 4, spec: specOf({ suspend: true }) };
    rig.disconnect();
    expect(rig.connected).to.equal('False/Suspended');
    rig.changes = { generation: 5 };
    rig.connect();
    expect(rig.connected).to.equal('True/SessionOpen');
  });
});
