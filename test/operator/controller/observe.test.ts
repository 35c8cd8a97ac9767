import { expect } from 'chai';
import { deploymentFacts } from '../../../operator/controller/observe.ts';

const base = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'd', generation: 2 },
  spec: { replicas: 2 },
};

describe('operator/controller/observe', () => {
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
