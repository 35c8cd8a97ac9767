import { expect } from 'chai';
import type { ClusterTunnel, Status } from '../../../../crds/types.ts';
import { type ReportDeps, report } from '../../../../operator/controller/status/report.ts';
import { statusOf } from '../../../../operator/controller/status/status.ts';
import type { KubeClient } from '../../../../operator/kube/client.ts';
import { observation, specOf } from './observation.ts';

const NOW = new Date('2026-01-01T00:00:00Z');
const sessions = observation().sessions;
const FULL = observation({ sessions: { ...sessions, freeDisk: { agent: 'a', bytes: 1_000 } } });
const MANUAL = specOf({ agent: { placement: 'Manual' } });
const AWAY = observation({ sessions: { liveSessions: 0, gateways: 0, agents: [] } });

describe('operator/controller/status/report', () => {
  /** The Events of the step from one status to another, as type/reason. */
  const events = async (previous: Status | undefined, status: Status): Promise<string[]> => {
    const recorded: string[] = [];
    const deps: ReportDeps = {
      client: { patch: async () => ({}) } as unknown as KubeClient,
      record: (_, { type, reason }) => recorded.push(`${type}/${reason}`),
    };
    const tunnel = { metadata: { name: 'prod' }, spec: {}, ...(previous && { status: previous }) } as ClusterTunnel;
    await report(deps, tunnel, status, new AbortController().signal);
    return recorded;
  };
  const well = statusOf(observation(), undefined, NOW);

  it('warns once of an agent whose disk is full, though Ready stays True', async () => {
    const full = statusOf(FULL, well, NOW);
    expect(full.conditions?.[0]).to.include({ type: 'Ready', status: 'True', reason: 'LowDisk' });
    expect(await events(well, full)).to.deep.equal(['Warning/LowDisk']);
    expect(await events(full, { ...full, sessions: 9 })).to.deep.equal([]);
    expect(await events(statusOf(AWAY, undefined, NOW), full)).to.include('Warning/LowDisk');
  });

  it('warns when a connection begins to flap, and says nothing of what comes and goes with it', async () => {
    const flapping = statusOf({ ...observation(), isFlapping: true }, well, NOW);
    expect(await events(well, flapping)).to.deep.equal(['Warning/Flapping']);
    const away = statusOf({ ...AWAY, isFlapping: true }, flapping, NOW);
    expect(away.conditions?.find(({ type }) => type === 'Connected')).to.include({
      status: 'False',
      reason: 'Flapping',
    });
    expect(await events(flapping, away)).to.deep.equal([]);
    expect(await events(away, well)).to.include('Normal/SessionOpen');
    const keyless = statusOf({ ...AWAY, isFlapping: true, hasKey: false, spec: MANUAL }, flapping, NOW);
    expect(await events(flapping, keyless)).to.deep.equal(['Warning/ManifestNotApplied']);
  });
});
