import { expect } from 'chai';
import { conditions } from '../../../../operator/controller/status/conditions.ts';
import type { Failure } from '../../../../operator/controller/status/failure.ts';
import type { Observation, SessionFacts } from '../../../../operator/controller/status/observe.ts';
import { observation, specOf, wellDeployment } from './observation.ts';

const none = { liveSessions: 0, gateways: 0, agents: [] };
const forbidden: Failure = {
  step: 'credentials',
  reason: 'Forbidden',
  message: 'Could not read Secret team/clustertunnel-agent-prod: secrets is forbidden.',
  isTerminal: true,
};
const silent: Failure = {
  step: 'credentials',
  reason: 'ClusterUnreachable',
  message: 'https://remote.example:6443: connect ECONNREFUSED. Tried again at growing intervals.',
  isTerminal: false,
};
const manual = specOf({ agent: { placement: 'Manual' } });
const kubeconfig = specOf({ agent: { placement: 'Kubeconfig', kubeconfigSecretRef: { name: 'prod' } } });

function brief(seen: Observation): Record<string, string> {
  return Object.fromEntries(conditions(seen).map(({ type, status, reason }) => [type, `${status}/${reason}`]));
}

function messageOf(seen: Observation, type: string): string {
  return conditions(seen).find((condition) => condition.type === type)?.message ?? '';
}

describe('operator/controller/status/conditions', () => {
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
      Ready: 'False/NeverConnected',
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

  it("gives the API server's words when a namespace is denied, and still says that agents run", () => {
    const seen = observation({ failure: forbidden });
    expect(brief(seen)).to.include({
      CredentialsReady: 'False/Forbidden',
      AgentAvailable: 'True/AllReplicasReady',
      Stalled: 'True/Forbidden',
    });
    expect(messageOf(seen, 'CredentialsReady')).to.contain('secrets is forbidden');
  });

  for (const reason of ['KubeconfigMissing', 'KubeconfigRefused', 'Unauthorized'] as const) {
    it(`puts ${reason} on the credentials, and waits for a change`, () => {
      const failure: Failure = { ...forbidden, reason };
      const seen = observation({ spec: kubeconfig, failure, hasKey: false, deployment: undefined, sessions: none });
      expect(brief(seen)).to.include({
        Ready: `False/${reason}`,
        CredentialsReady: `False/${reason}`,
        AgentAvailable: 'Unknown/NotAttempted',
        Stalled: `True/${reason}`,
      });
    });
  }

  for (const reason of ['NamespaceTerminating', 'QuotaExceeded'] as const) {
    for (const step of ['credentials', 'agent'] as const) {
      it(`tells ${reason} where it stopped the ${step}, and is not stalled`, () => {
        const seen = observation({ failure: { ...forbidden, step, reason, isTerminal: false } });
        const condition = step === 'agent' ? 'AgentAvailable' : 'CredentialsReady';
        expect(brief(seen)).to.include({ [condition]: `False/${reason}` });
        expect(brief(seen)).not.to.have.property('Stalled');
      });
    }
  }

  it('does not know how agents are in a cluster that does not answer, and stays Ready while requests get through', () => {
    const seen = observation({ spec: kubeconfig, failure: silent });
    expect(brief(seen)).to.include({
      Ready: 'True/RequestsGetThrough',
      CredentialsReady: 'True/TokenIssued',
      AgentAvailable: 'Unknown/ClusterUnreachable',
    });
    expect(messageOf(seen, 'AgentAvailable')).to.equal(silent.message);
    expect(brief(seen)).not.to.have.property('Stalled');
  });

  describe('Ready of an agent whose cluster does not answer', () => {
    const { sessions } = observation();
    const upstream = { healthy: false, reason: 'Refused', message: 'connection refused', observedAtMs: 99_000 };
    const sick = { ...sessions, upstream };
    const settling = { ...none, settlingUntilMs: 100_001 };
    const unplaced = { hasKey: false, deployment: undefined };
    const lost = { time: '2026-01-01T00:00:00Z', reason: 'no answer for 30 s' };
    const table: readonly (readonly [what: string, changes: Partial<Observation>, ready: string])[] = [
      ['while requests get through', {}, 'True/RequestsGetThrough'],
      ['with no session', { sessions: none }, 'False/NeverConnected'],
      ['with no session any more', { sessions: { ...none, lastDisconnect: lost } }, 'False/SessionLost'],
      ['with no session yet, and no token', { ...unplaced, sessions: none }, 'False/NeverConnected'],
      ['while agents may be on their way back', { sessions: settling }, 'Unknown/ClusterUnreachable'],
      ['with a sick API server behind the session', { sessions: sick }, 'False/Refused'],
      ['with evidence that is too old', { nowMs: 130_000 }, 'Unknown/ClusterUnreachable'],
    ];
    for (const [what, changes, ready] of table) {
      it(`is ${ready} ${what}`, () => {
        const seen = observation({ spec: kubeconfig, failure: silent, ...changes });
        expect(brief(seen)['Ready']).to.equal(ready);
        if (!ready.startsWith('True')) expect(messageOf(seen, 'Ready'), 'the cause').to.contain(silent.message);
      });
    }

    it('begins with what is False, and then tells the Unknown before it', () => {
      const seen = observation({ spec: kubeconfig, failure: silent, sessions: sick });
      expect(messageOf(seen, 'Ready')).to.equal(
        `UpstreamHealthy is False: connection refused AgentAvailable is Unknown: ${silent.message}`,
      );
    });
  });

  it('puts a silent cluster on the credentials when no token was ever issued', () => {
    const seen = observation({ spec: kubeconfig, failure: silent, hasKey: false, sessions: none });
    expect(brief(seen)).to.include({ CredentialsReady: 'Unknown/ClusterUnreachable' });
  });

  it('says nothing of what waits for another condition, or comes after it', () => {
    const first = observation({ hasKey: false, deployment: undefined, sessions: none });
    expect(messageOf(first, 'Ready')).to.match(/^Connected is False: (?!.* is Unknown)/);
    const later = observation({ failure: forbidden, nowMs: 130_000 });
    expect(messageOf(later, 'Ready')).to.equal(`CredentialsReady is False: ${forbidden.message}`);
  });

  it('names the quota that keeps every pod from being made', () => {
    const trouble = 'pods "x" is forbidden: exceeded quota: small';
    const all = { ...wellDeployment, ready: 0, available: 0, trouble };
    expect(brief(observation({ deployment: all }))).to.include({ AgentAvailable: 'False/QuotaExceeded' });
    const some = { ...wellDeployment, ready: 1, available: 1, trouble };
    expect(brief(observation({ deployment: some }))).to.include({ AgentAvailable: 'True/SomeReplicasReady' });
    expect(messageOf(observation({ deployment: some }), 'AgentAvailable')).to.contain('exceeded quota');
  });

  describe('suspended', () => {
    const spec = specOf({ suspend: true });
    const scaled = { ...wellDeployment, desired: 0, updated: 0, ready: 0, available: 0 };

    it('is Suspended, with its credentials ready, and neither stalled nor under way', () => {
      const seen = observation({ spec, deployment: scaled, sessions: none });
      expect(brief(seen)).to.deep.equal({
        Ready: 'False/Suspended',
        Accepted: 'True/SpecAccepted',
        CredentialsReady: 'True/TokenIssued',
        AgentAvailable: 'False/Suspended',
        Connected: 'False/Suspended',
        UpstreamHealthy: 'Unknown/NoSession',
      });
    });

    it('is under way while pods or sessions are still there', () => {
      const seen = observation({ spec, deployment: { ...scaled, ready: 1 } });
      expect(brief(seen)).to.include({ Ready: 'False/Suspended', Reconciling: 'True/Suspending' });
      expect(messageOf(seen, 'AgentAvailable')).to.contain('1 pod still running');
      expect(messageOf(seen, 'Connected')).to.equal('2 sessions end when their requests have.');
    });

    it('does not claim to have stopped the pods of a Manual agent', () => {
      const manualSpec = specOf({ suspend: true, agent: { placement: 'Manual' } });
      const seen = observation({ spec: manualSpec, deployment: undefined, sessions: none });
      expect(brief(seen)).to.include({ Ready: 'False/Suspended', AgentAvailable: 'False/Suspended' });
      expect(messageOf(seen, 'AgentAvailable')).to.match(/gateway refuses the agent/);
    });

    it('says that the agent could not be scaled down', () => {
      const seen = observation({ spec, failure: { ...forbidden, step: 'agent' } });
      expect(brief(seen)).to.include({ Ready: 'False/Suspended', AgentAvailable: 'False/Forbidden' });
    });
  });

  it('puts a refused Deployment on the agent, not on the credentials', () => {
    const failure: Failure = { step: 'agent', reason: 'ApplyFailed', isTerminal: false, message: 'quota' };
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

  it('is not healthy while requests are refused, whatever the last report says', () => {
    const { sessions } = observation();
    const seen = observation({ sessions: { ...sessions, circuit: { cause: 'connection refused' } } });
    expect(brief(seen)).to.include({ UpstreamHealthy: 'False/CircuitOpen', Ready: 'False/CircuitOpen' });
    expect(messageOf(seen, 'UpstreamHealthy')).to.match(/refused at once.*the last: connection refused\.$/);
    const away = observation({ sessions: { ...none, circuit: { cause: 'connection refused' } } });
    expect(brief(away)).to.include({ UpstreamHealthy: 'Unknown/NoSession' });
  });

  it('says the same of old evidence however old it gets: each other word would be a write', () => {
    expect(conditions(observation({ nowMs: 130_000 }))).to.deep.equal(conditions(observation({ nowMs: 930_000 })));
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

  it('does not know whether sessions are open that nothing was heard of for long', () => {
    const { sessions } = observation();
    const heard = (agoMs: number) => observation({ sessions: { ...sessions, heardAtMs: 100_000 - agoMs } });
    expect(brief(heard(45_000))).to.include({ Connected: 'True/SessionOpen' });
    expect(brief(heard(45_001))).to.include({ Connected: 'Unknown/EvidenceTooOld', Ready: 'Unknown/EvidenceTooOld' });
    expect(conditions(heard(50_000))).to.deep.equal(conditions(heard(90_000)));
  });

  describe('the disk of an agent', () => {
    const { sessions } = observation();
    const MEBIBYTE = 2 ** 20;
    const seenWith = (bytes: number, health: object = {}) =>
      observation({ spec: specOf({ health }), sessions: { ...sessions, freeDisk: { agent: 'agent-7', bytes } } });

    it('is a warning beside Ready when it is nearly full', () => {
      expect(brief(seenWith(128 * MEBIBYTE))).to.include({ Ready: 'True/RequestsGetThrough' });
      const low = seenWith(128 * MEBIBYTE - 1);
      expect(brief(low)).to.include({ Ready: 'True/LowDisk', AgentAvailable: 'True/AllReplicasReady' });
      expect(messageOf(low, 'Ready')).to.match(/reaches Kubernetes v1.*Agent agent-7 has less than 128Mi free/);
      expect(conditions(low)).to.deep.equal(conditions(seenWith(5)));
    });

    it('follows health.minFreeDiskBytes; 0 is never', () => {
      expect(brief(seenWith(10 * MEBIBYTE, { minFreeDiskBytes: '8Mi' }))['Ready']).to.equal('True/RequestsGetThrough');
      expect(brief(seenWith(7 * MEBIBYTE, { minFreeDiskBytes: '8Mi' }))['Ready']).to.equal('True/LowDisk');
      expect(brief(seenWith(0, { minFreeDiskBytes: 0 }))['Ready']).to.equal('True/RequestsGetThrough');
    });

    it('is nothing beside what keeps requests from getting through', () => {
      const low = { liveSessions: 0, gateways: 0, agents: [], freeDisk: { agent: 'a', bytes: 0 } };
      expect(brief(observation({ sessions: low }))['Ready']).to.equal('False/NeverConnected');
    });
  });

  it('tells that sessions come and go, and how it is now', () => {
    const { sessions } = observation();
    const flapping = (seen: SessionFacts) => observation({ sessions: seen, isFlapping: true });
    expect(brief(flapping(sessions))).to.include({ Connected: 'True/Flapping', Ready: 'True/RequestsGetThrough' });
    expect(brief(flapping(none))).to.include({ Connected: 'False/Flapping', Ready: 'False/Flapping' });
    expect(messageOf(flapping(sessions), 'Connected')).to.match(/come and go.*Now: 2 sessions from 2 agents\.$/);
    const suspended = observation({ spec: specOf({ suspend: true }), isFlapping: true });
    expect(brief(suspended)).to.include({ Connected: 'False/Suspended' });
  });

  it('stamps the generation on each condition', () => {
    expect(conditions(observation()).every(({ observedGeneration }) => observedGeneration === 3)).to.equal(true);
  });
});
