import { expect } from 'chai';
import type { ClusterTunnel, SpecInput } from '../../../../crds/types.ts';
import {
  afterFailure,
  drainingVerdict,
  drainsUntilMs,
  failedVerdict,
  isAbandoned,
  type Removal,
  removalStatus,
  specForRemoval,
} from '../../../../operator/controller/remove/removal.ts';
import type { Failure } from '../../../../operator/controller/status/failure.ts';

const DELETED_MS = Date.parse('2026-01-01T00:00:00Z');

/** A Kubeconfig tunnel, deleted 40 s ago, whose cluster was first asked 35 s ago. */
function removal(changes: Partial<Removal> = {}): Removal {
  return {
    name: 'prod',
    deletedAtMs: DELETED_MS,
    nowMs: DELETED_MS + 40_000,
    drainMs: 30_000,
    liveSessions: 0,
    remoteTimeoutMs: 300_000,
    triedSinceMs: DELETED_MS + 5_000,
    isAbandoned: false,
    isRemote: true,
    mayHavePlaced: true,
    ...changes,
  };
}

const failure: Failure = {
  step: 'agent',
  reason: 'ClusterUnreachable',
  message: 'https://remote.example: connect ECONNREFUSED. Tried again at growing intervals.',
  isTerminal: false,
};

function tunnel(changes: Partial<ClusterTunnel> = {}): ClusterTunnel {
  const metadata = { name: 'prod', uid: 'u', generation: 4 };
  return { apiVersion: 'clustertunnel.io/v1alpha1', kind: 'ClusterTunnel', metadata, ...changes };
}

describe('operator/controller/remove/removal', () => {
  describe('draining', () => {
    const early = { nowMs: DELETED_MS + 10_000 };

    it('waits for sessions until the drain time has passed', () => {
      expect(drainsUntilMs(removal({ ...early, liveSessions: 2 }))).to.equal(DELETED_MS + 30_000);
      expect(drainsUntilMs(removal({ nowMs: DELETED_MS + 30_000, liveSessions: 2 }))).to.equal(undefined);
    });

    it('waits for nothing when there is no session', () => {
      expect(drainsUntilMs(removal(early))).to.equal(undefined);
    });

    it('says how many sessions, and until when', () => {
      const message = (liveSessions: number) => drainingVerdict(removal({ liveSessions }), DELETED_MS + 30_000).message;
      expect(message(2)).to.equal('2 sessions end when their requests have, at the latest at 2026-01-01T00:00:30Z.');
      expect(message(1)).to.match(/^1 session ends when its requests have,/);
    });
  });

  describe('an agent that cannot be removed', () => {
    const cases: Record<string, { changes: Partial<Removal>; next: unknown }> = {
      'in a silent cluster is tried again until the timeout': {
        changes: {},
        next: { do: 'retry', giveUpAtMs: DELETED_MS + 305_000 },
      },
      'is given up when the timeout has passed': {
        changes: { nowMs: DELETED_MS + 305_000 },
        next: { do: 'leaveBehind' },
      },
      'is given up at once when the user said so': { changes: { isAbandoned: true }, next: { do: 'leaveBehind' } },
      'is forgotten when nothing was ever placed': { changes: { mayHavePlaced: false }, next: { do: 'forget' } },
      'in the hub’s own cluster is never given up': {
        changes: { isRemote: false, isAbandoned: true, nowMs: DELETED_MS + 9e9 },
        next: { do: 'retry', giveUpAtMs: undefined },
      },
      'is not waited for anew after a restart, but never given up after one look': {
        changes: { triedSinceMs: DELETED_MS + 3_000_000, nowMs: DELETED_MS + 3_000_000 },
        next: { do: 'retry', giveUpAtMs: DELETED_MS + 3_030_000 },
      },
      'is given up soon by a process that came late': {
        changes: { triedSinceMs: DELETED_MS + 3_000_000, nowMs: DELETED_MS + 3_030_000 },
        next: { do: 'leaveBehind' },
      },
    };
    for (const [what, { changes, next }] of Object.entries(cases)) {
      it(what, () => expect(afterFailure(removal(changes))).to.deep.equal(next));
    }

    it('is explained with the words of the server, the time, and the way to give up now', () => {
      const { reason, message } = failedVerdict(removal(), failure, DELETED_MS + 305_000);
      expect(reason).to.equal('RemoteUnreachable');
      expect(message).to.match(/ECONNREFUSED.*Gives up at 2026-01-01T00:05:05Z/);
      expect(message).to.contain('`kubectl annotate ct prod clustertunnel.io/abandon-remote=true`');
    });

    it('of the hub is explained without a way to give up', () => {
      const verdict = failedVerdict(removal({ isRemote: false }), failure, undefined);
      expect(verdict).to.include({ reason: 'RemovingAgent', message: failure.message });
    });
  });

  it('takes only "true" for giving up', () => {
    const annotated = (value: string) =>
      tunnel({ metadata: { name: 'prod', uid: 'u', annotations: { 'clustertunnel.io/abandon-remote': value } } });
    expect([annotated('true'), annotated('false'), tunnel()].map(isAbandoned)).to.deep.equal([true, false, false]);
  });

  it('keeps of the status what it was, and of the conditions only Ready', () => {
    const condition = (type: string) => ({
      type,
      status: 'True' as const,
      reason: 'X',
      message: 'x',
      lastTransitionTime: '2025-01-01T00:00:00Z',
    });
    const status = { agents: '2/2', sessions: 2, conditions: [condition('Ready'), condition('Connected')] };
    const ready = drainingVerdict(removal({ liveSessions: 1 }), DELETED_MS);
    const facts = { liveSessions: 1, gateways: 1, agents: [] };
    const now = new Date(DELETED_MS);
    const next = removalStatus(tunnel({ status }), ready, facts, now);
    expect(next).to.deep.include({ agents: '2/2', sessions: 1, gateways: 1, observedGeneration: 4 });
    expect(next.conditions?.map(({ type, reason }) => [type, reason])).to.deep.equal([['Ready', 'Draining']]);
    expect(next.conditions?.[0]?.lastTransitionTime).to.equal('2026-01-01T00:00:00Z');
  });

  describe('of a spec that cannot be used', () => {
    const broken = (agent: object) =>
      specForRemoval({ agent, limits: { maxConcurrentRequests: 'many' } } as unknown as SpecInput);

    it('still knows where the agent stands', () => {
      const agent = { placement: 'Kubeconfig', kubeconfigSecretRef: { name: 'prod' }, namespace: 'team' };
      expect(broken(agent).agent).to.deep.include({
        placement: 'Kubeconfig',
        kubeconfigSecretRef: { name: 'prod', key: 'kubeconfig' },
        namespace: 'team',
      });
      expect(broken({ namespace: 'team' }).agent).to.include({ placement: 'Local', namespace: 'team' });
    });

    it('goes by the defaults for the rest', () => {
      expect(broken({}).timeouts.drain).to.equal('30s');
      expect(broken({ namespace: 7 }).agent.namespace).to.equal('clustertunnel-agent');
      expect(specForRemoval(undefined).timeouts.drain).to.equal('30s');
    });

    it('takes the drain time of a spec that can be used', () => {
      expect(specForRemoval({ timeouts: { drain: '5s' } }).timeouts.drain).to.equal('5s');
    });
  });
});
