import { expect } from 'chai';
import { type AgentPod, deploymentFacts } from '../../../../operator/controller/status/observe.ts';

const base = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'd', generation: 2 },
  spec: { replicas: 2 },
};

describe('operator/controller/status/observe', () => {
  it('reads a Deployment that nobody has looked at yet', () => {
    expect(deploymentFacts(base, [])).to.deep.equal({
      desired: 2,
      updated: 0,
      ready: 0,
      available: 0,
      isStale: true,
      trouble: undefined,
    });
  });

  it("gives the Deployment's own words about a quota", () => {
    const conditions = [{ type: 'ReplicaFailure', status: 'True', message: 'exceeded quota' }];
    expect(deploymentFacts({ ...base, status: { observedGeneration: 2, conditions } }, [])).to.include({
      isStale: false,
      trouble: 'exceeded quota',
    });
  });

  const strange: unknown[] = [null, 'a', 7, [], {}, [null], ['a'], [{ message: {} }], { a: 1 }];
  for (const value of strange) {
    it(`takes ${JSON.stringify(value)} from a strange API server for nothing`, () => {
      const counts = { replicas: value, updatedReplicas: value, readyReplicas: value, availableReplicas: value };
      const deployment = { ...base, spec: counts, status: { ...counts, conditions: value } } as typeof base;
      const pod = (status: unknown) => ({ metadata: { name: 'p' }, status }) as AgentPod;
      const pods = [pod(value), pod({ containerStatuses: value, conditions: value })];
      const facts = deploymentFacts(deployment, pods);
      expect([facts.desired, facts.updated, facts.ready, facts.available].every(Number.isSafeInteger)).to.equal(true);
      expect(facts.trouble).to.equal(undefined);
    });
  }

  it('keeps of long words the beginning: they must fit a status', () => {
    const message = 'm'.repeat(1_000_000);
    const conditions = [{ type: 'ReplicaFailure', status: 'True', message }];
    expect(deploymentFacts({ ...base, status: { conditions } }, []).trouble).to.have.length.below(1_100);
    const waiting = { reason: message, message };
    const pod = { metadata: { name: message }, status: { containerStatuses: [{ state: { waiting } }] } };
    expect(deploymentFacts(base, [pod]).trouble).to.have.length.below(1_100);
  });

  const pods = {
    'an image that cannot be pulled': {
      containerStatuses: [{ state: { waiting: { reason: 'ErrImagePull', message: 'not found' } } }],
      trouble: 'pod p is waiting: ErrImagePull (not found)',
    },
    'a crash': {
      containerStatuses: [
        { state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: { exitCode: 7 } } },
      ],
      trouble: 'pod p is waiting: CrashLoopBackOff (last exit code 7)',
    },
    'a full cluster': {
      conditions: [{ type: 'PodScheduled', status: 'False', message: '0/3 nodes are available' }],
      trouble: 'pod p is not scheduled: 0/3 nodes are available',
    },
    'an ordinary start': {
      containerStatuses: [{ state: { waiting: { reason: 'ContainerCreating' } } }],
      trouble: undefined,
    },
  };
  for (const [name, { trouble, ...status }] of Object.entries(pods)) {
    it(`explains ${name}`, () => {
      expect(deploymentFacts(base, [{ metadata: { name: 'p' }, status }]).trouble).to.equal(trouble);
    });
  }
});
