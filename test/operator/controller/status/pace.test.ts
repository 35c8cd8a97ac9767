import { expect } from 'chai';
import type { ClusterTunnel, Status } from '../../../../crds/types.ts';
import type { Observation, SessionFacts } from '../../../../operator/controller/status/observe.ts';
import { CALM, type Pace, paced } from '../../../../operator/controller/status/pace.ts';
import { report } from '../../../../operator/controller/status/report.ts';
import type { KubeClient } from '../../../../operator/kube/client.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { observation, specOf } from './observation.ts';

const MINUTE_MS = 60_000;
const NOBODY: SessionFacts = { liveSessions: 0, gateways: 0, agents: [] };

/** A tunnel whose sessions the test plays, and a leader who looks at every change and when he meant to. */
class Rig {
  readonly clock = new ManualClock();
  readonly written: { readonly atMs: number; readonly status: Status }[] = [];
  /** What was due to be reported, whether it said anything new or not. */
  readonly reported: { readonly previous: Status | undefined; readonly status: Status }[] = [];
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
    if (isDue) {
      this.reported.push({ previous: this.status, status });
      this.status = status;
    }
    if (isNews) this.written.push({ atMs: this.nowMs, status });
    this.#cancel();
    if (againMs !== undefined) this.#cancel = this.clock.after(againMs, () => this.look());
  }

  get nowMs(): number {
    return this.clock.nowMs();
  }

  /** Other changes each time, `stepMs` apart. */
  alternate(changes: (at: number) => Partial<Observation>, stepMs: number, forMs: number): void {
    for (let at = 0; at * stepMs < forMs; at++) {
      this.changes = changes(at);
      this.look();
      this.clock.advance(stepMs);
    }
  }

  /** The most writes within 10 minutes, wherever they begin. */
  get mostWrites(): number {
    const within = (from: number) =>
      this.written.filter(({ atMs }) => atMs >= from && atMs < from + 10 * MINUTE_MS).length;
    return Math.max(...this.written.map(({ atMs }) => within(atMs)));
  }

  get connected(): string {
    return connectedIn(this.status);
  }
}

function connectedIn(status: Status | undefined): string {
  return verdictIn(status, 'Connected');
}

function verdictIn(status: Status | undefined, type: string): string {
  const found = status?.conditions?.find((each) => each.type === type);
  return `${found?.status}/${found?.reason}`;
}

describe('operator/controller/status/pace', function () {
  // Much arithmetic: a machine that is busy elsewhere must not fail it.
  this.timeout(20_000);

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

  const SPEC = specOf({ fallback: { kubeconfigSecretRef: { name: 'prod' } } });
  const { sessions: WELL } = observation();
  const UPSTREAM = WELL.upstream as NonNullable<SessionFacts['upstream']>;
  /** How many Events the reports made. */
  const events = async () => {
    let count = 0;
    const client = { patch: async () => ({}) } as unknown as KubeClient;
    const deps = { client, record: () => void count++ };
    for (const { previous, status } of rig.reported) {
      const tunnel = { metadata: { name: 'prod' }, spec: {}, ...(previous && { status: previous }) } as ClusterTunnel;
      await report(deps, tunnel, status, new AbortController().signal);
    }
    return count;
  };
  /** As often as it is looked, the agent has just reported. */
  const well = () => ({ ...WELL, upstream: { ...UPSTREAM, observedAtMs: rig.nowMs } });
  const directly = (trouble: string | undefined): Partial<Observation> => ({
    spec: SPEC,
    sessions: { ...NOBODY, fallback: { server: 'https://203.0.113.7:6443', refused: undefined, trouble } },
  });
  const circuit = (isOpen: boolean): Partial<Observation> => ({
    sessions: { ...well(), circuit: isOpen ? { cause: 'refused' } : undefined },
  });
  const TROUBLES: Readonly<Record<string, readonly [(at: number) => Partial<Observation>, number]>> = {
    'a fallback that fails and answers in turn': [(at) => directly(at % 2 ? 'connection refused' : undefined), 1_000],
    'a circuit that opens and closes': [(at) => circuit(at % 2 === 1), 6_000],
    'verdicts and numbers that change in turn': [
      (at) => ({
        sessions: { ...well(), liveSessions: at % 2 ? 1 : 2, circuit: at % 4 > 1 ? { cause: 'x' } : undefined },
      }),
      1_000,
    ],
    'a circuit that opens and closes, and a connection that comes and goes': [
      (at) => (at % 40 > 20 ? { sessions: NOBODY } : circuit(at % 2 === 1)),
      1_000,
    ],
    'numbers first, verdicts then, and a connection that flaps in the end': [
      (at) => {
        if (at < 100) return { sessions: { ...well(), liveSessions: at % 2 ? 1 : 2 } };
        return at < 200 ? circuit(at % 2 === 1) : { sessions: at % 8 > 3 ? NOBODY : well() };
      },
      1_000,
    ],
  };
  for (const [what, [changes, stepMs]] of Object.entries(TROUBLES)) {
    it(`makes at most 25 writes in any 10 minutes of ${what}, and no more Events than that makes`, async () => {
      rig.look();
      rig.reported.length = 0;
      rig.written.length = 0;
      rig.alternate(changes, stepMs, 40 * MINUTE_MS);
      expect(rig.mostWrites).to.be.within(8, 25);
      // Of Ready, of Connected, and of what made them so.
      expect(await events()).to.be.within(1, 3 * rig.written.length);
    });
  }

  it('writes the first changes of verdicts at once, then the last truth within a minute, though nothing else happens', () => {
    const at = () => verdictIn(rig.status, 'UpstreamHealthy');
    for (let round = 0; round < 6; round++) {
      for (const [isOpen, verdict] of [
        [true, 'False/CircuitOpen'],
        [false, 'True/ProbeSucceeded'],
      ] as const) {
        rig.clock.advance(1_000);
        rig.changes = circuit(isOpen);
        rig.look();
        expect(at()).to.equal(verdict);
      }
    }
    rig.alternate((turn) => circuit(turn % 2 === 0), 1_000, 11_000);
    rig.changes = circuit(true);
    rig.look();
    expect(at()).to.equal('True/ProbeSucceeded');
    rig.clock.advance(MINUTE_MS);
    expect(at()).to.equal('False/CircuitOpen');
    expect(rig.clock.pending).to.equal(0);
    rig.clock.advance(10 * MINUTE_MS);
    rig.changes = circuit(false);
    rig.look();
    expect(at(), 'calm again').to.equal('True/ProbeSucceeded');
  });

  it('leaves room for verdicts where only numbers changed often', () => {
    rig.alternate((at) => ({ sessions: { ...well(), liveSessions: at % 2 ? 1 : 2 } }), 1_000, MINUTE_MS);
    rig.changes = circuit(true);
    rig.look();
    expect(verdictIn(rig.status, 'UpstreamHealthy')).to.equal('False/CircuitOpen');
  });

  it('holds no edit back, nor what follows it, however often verdicts changed', () => {
    rig.alternate((at) => circuit(at % 2 === 1), 1_000, 2 * MINUTE_MS);
    rig.changes = { ...circuit(false), generation: 4 };
    rig.look();
    expect(rig.status?.observedGeneration).to.equal(4);
    rig.changes = { ...circuit(true), generation: 4 };
    rig.look();
    expect(verdictIn(rig.status, 'UpstreamHealthy')).to.equal('False/CircuitOpen');
  });
});
