import { expect } from 'chai';
import { isSameStatus, statusOf } from '../../../../operator/controller/status/status.ts';
import { observation, specOf } from './observation.ts';

const now = new Date('2026-01-01T00:00:00Z');

describe('operator/controller/status/status', () => {
  it('shows ready of desired pods for Local, connected agents for Manual', () => {
    expect(statusOf(observation(), undefined, now).agents).to.equal('2/2');
    expect(statusOf(observation({ deployment: undefined }), undefined, now).agents).to.equal('0/2');
    const spec = specOf({ agent: { placement: 'Manual' } });
    expect(statusOf(observation({ spec, deployment: undefined }), undefined, now).agents).to.equal('2');
  });

  it('keeps the Kubernetes version while nobody is connected', () => {
    const before = statusOf(observation(), undefined, now);
    const sessions = { liveSessions: 0, gateways: 0, agents: [] };
    expect(statusOf(observation({ sessions }), before, now).kubernetesVersion).to.equal('v1.36.3');
  });

  it('keeps what was last known of the agent while its Deployment cannot be seen', () => {
    const before = statusOf(observation(), undefined, now);
    const failure = { step: 'agent', reason: 'ClusterUnreachable', message: 'silent', isTerminal: false } as const;
    const after = statusOf(observation({ deployment: undefined, failure }), before, now);
    expect(after).to.deep.include({ agents: '2/2', agent: before.agent });
    const broken = observation({ deployment: undefined, spec: undefined, specErrors: ['spec.x: is wrong'] });
    expect(statusOf(broken, before, now)).to.deep.include({ agents: '2/2', agent: before.agent });
  });

  it('names each agent version once', () => {
    expect(statusOf(observation(), undefined, now).agent).to.include({ version: '0.1.0' });
  });

  it('leaves the agent out when nothing is known of it: the API server refuses a map that an apply empties', () => {
    const spec = specOf({ agent: { placement: 'Manual' } });
    const sessions = { liveSessions: 0, gateways: 0, agents: [] };
    expect(statusOf(observation({ spec, deployment: undefined, sessions }), undefined, now)).not.to.have.property(
      'agent',
    );
  });

  it('is the same when only the order of conditions differs', () => {
    const status = statusOf(observation(), undefined, now);
    const turned = { ...status, conditions: [...(status.conditions ?? [])].reverse() };
    expect(isSameStatus(turned, status)).to.equal(true);
    expect(isSameStatus(undefined, status)).to.equal(false);
    expect(isSameStatus({ ...turned, sessions: 9 }, status)).to.equal(false);
  });

  it('does not change as time goes by', () => {
    const before = statusOf(observation(), undefined, now);
    const later = statusOf(observation({ nowMs: 101_000 }), before, new Date('2026-01-02T00:00:00Z'));
    expect(isSameStatus(before, later)).to.equal(true);
  });
});
