import { expect } from 'chai';
import { conditions } from '../../../operator/controller/conditions.ts';
import type { Failure, Observation } from '../../../operator/controller/observe.ts';
import { observation, specOf, wellDeployment } from './observation.ts';

const none = { liveSessions: 0, gateways: 0, agents: [] };
const forbidden: Failure = {
  step: 'credentials',
  doing: 'read Secret team/clustertunnel-agent-prod',
  message: 'secrets is forbidden',
  isForbidden: true,
  isTerminal: true,
};
const manual = specOf({ agent: { placement: 'Manual' } });

function brief(seen: Observation): Record<string, string> {
  return Object.fromEntries(conditions(seen).map(({ type, status, reason }) => [type, `${status}/${reason}`]));
}

function messageOf(seen: Observation, type: string): string {
  return conditions(seen).find((condition) => condition.type === type)?.message ?? '';
}

describe('operator/controller/conditions', () => {
  it('says True six times when all is well, Ready first', () => {
    expect(brief(observation())).to.deep.equal({
      Ready: 'True/RequestsGetThrough',
      Accepted: 'True/SpecAccepted',
      CredentialsReady: 'True/TokenIssued',
      AgentAvailable: 'True/AllReplicasReady',
      Connected: 'True/SessionOpen',
      UpstreamHealthy: 'True/ProbeSucceeded',
    });
    expect(conditions(observation())[0]?.type).to.equal('Ready');
  });

  it('has every condition on the first visit', () => {
    const seen = observation({ hasKey: false, deployment: undefined, sessions: none });
    expect(brief(seen)).to.deep.equal({
      Ready: 'Unknown/NotAttempted',
      Accepted: 'True/SpecAccepted',
      CredentialsReady: 'Unknown/NotAttempted',
      AgentAvailable: 'Unknown/NotAttempted',
      Connected: 'False/NeverConnected',
      UpstreamHealthy: 'Unknown/NoSession',
    });
  });

  it('Ready blames the spec before everything else', () => {
    const errors = ['spec.limits.maxBufferBytes: "32MB" must be a size'];
    const seen = observation({ specErrors: errors, spec: undefined, deployment: undefined, sessions: none });
    expect(brief(seen)).to.include({
      Ready: 'False/InvalidSpec',
      Accepted: 'False/InvalidSpec',
      Stalled: 'True/InvalidSpec',
    });
    expect(messageOf(seen, 'Ready')).to.contain('spec.limits.maxBufferBytes');
  });

  it("gives the API server's words and the remedy when a namespace is denied", () => {
    const spec = specOf({ agent: { namespace: 'team' } });
    const seen = observation({ spec, hasKey: false, failure: forbidden, deployment: undefined, sessions: none });
    expect(brief(seen)).to.include({ CredentialsReady: 'False/Forbidden', Stalled: 'True/Forbidden' });
    expect(messageOf(seen, 'CredentialsReady')).to.match(
      /secrets is forbidden.*clustertunnel-agent-manager.*namespace team/,
    );
  });

  it('puts a refused Deployment on the agent, not on the credentials', () => {
    const failure: Failure = { ...forbidden, step: 'agent', isForbidden: false, isTerminal: false, message: 'quota' };
    const seen = observation({ failure, deployment: undefined });
    expect(brief(seen)).to.include({ CredentialsReady: 'True/TokenIssued', AgentAvailable: 'False/ApplyFailed' });
    expect(messageOf(seen, 'AgentAvailable')).to.contain('quota');
  });

  it('says why no agent pod is ready, and that a roll-out is under way', () => {
    const deployment = {
      ...wellDeployment,
      ready: 0,
      available: 0,
      updated: 1,
      trouble: 'pod x is waiting: ErrImagePull',
    };
    const seen = observation({ deployment, sessions: none });
    expect(brief(seen)).to.include({ AgentAvailable: 'False/NoReplicaReady', Reconciling: 'True/RollingOut' });
    expect(messageOf(seen, 'Ready')).to.equal(
      'AgentAvailable is False: 0 of 2 agent pods ready: pod x is waiting: ErrImagePull.',
    );
  });

  it('stays Ready while one of two agent pods is ready', () => {
    const seen = observation({ deployment: { ...wellDeployment, ready: 1, available: 1 } });
    expect(brief(seen)).to.include({ AgentAvailable: 'True/SomeReplicasReady', Ready: 'True/RequestsGetThrough' });
  });

  it('tells when and why the last session ended', () => {
    const lastDisconnect = { time: '2026-01-01T00:00:00Z', reason: 'no answer for 30 s' };
    const seen = observation({ sessions: { ...none, lastDisconnect } });
    expect(brief(seen)).to.include({ Connected: 'False/SessionLost', UpstreamHealthy: 'Unknown/NoSession' });
    expect(messageOf(seen, 'Connected')).to.match(/2026-01-01T00:00:00Z: no answer for 30 s/);
  });

  it('does not trust old evidence', () => {
    const seen = observation({ nowMs: 130_000 });
    expect(brief(seen)).to.include({ UpstreamHealthy: 'Unknown/EvidenceTooOld', Ready: 'Unknown/EvidenceTooOld' });
  });

  it('names the command for a Manual tunnel whose manifest was never rendered', () => {
    const seen = observation({ spec: manual, hasKey: false, deployment: undefined, sessions: none });
    expect(brief(seen)).to.include({ Ready: 'False/ManifestNotApplied', AgentAvailable: 'Unknown/NotObservable' });
    expect(messageOf(seen, 'Ready')).to.contain('clustertunnel manifest prod | kubectl');
  });

  it('says that the keys of a connected Manual agent are gone, not that there never were any', () => {
    const seen = observation({ spec: manual, hasKey: false, deployment: undefined });
    expect(brief(seen)).to.include({ CredentialsReady: 'False/KeysMissing', Connected: 'True/SessionOpen' });
    expect(messageOf(seen, 'CredentialsReady')).to.match(/keys of this tunnel is gone.*clustertunnel manifest prod/);
  });

  it('does not say that a session is lost while agents may be on their way back to a gateway that just started', () => {
    const lastDisconnect = { time: '2026-01-01T00:00:00Z', reason: 'no answer for 30 s' };
    const settling = observation({ sessions: { ...none, lastDisconnect, settlingUntilMs: 50_001 }, nowMs: 50_000 });
    expect(brief(settling)).to.include({ Connected: 'Unknown/GatewayStarted', Ready: 'Unknown/GatewayStarted' });
    const settled = observation({ sessions: { ...none, lastDisconnect, settlingUntilMs: 50_000 }, nowMs: 50_000 });
    expect(brief(settled)).to.include({ Connected: 'False/SessionLost' });
  });

  it('is Ready for a Manual tunnel without seeing its pods', () => {
    const seen = observation({ spec: manual, deployment: undefined });
    expect(brief(seen)).to.include({ Ready: 'True/RequestsGetThrough', AgentAvailable: 'True/AgentConnected' });
  });

  it('stamps the generation on each condition', () => {
    expect(conditions(observation()).every(({ observedGeneration }) => observedGeneration === 3)).to.equal(true);
  });
});
