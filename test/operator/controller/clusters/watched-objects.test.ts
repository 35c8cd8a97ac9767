import { expect } from 'chai';
import { mayBeDrift } from '../../../../operator/controller/clusters/drift.ts';
import { deploymentFactsOf, identityOf } from '../../../../operator/controller/clusters/watched-objects.ts';
import { labelsOf } from '../../../../operator/controller/names.ts';
import type { DeploymentObject } from '../../../../operator/controller/objects/deployment.ts';

const metadata = { name: 'a', namespace: 'agents', uid: 'u', resourceVersion: '7', generation: 2 };
const labels = labelsOf('prod');

function factsOf(deployment: DeploymentObject): DeploymentObject {
  const facts = deploymentFactsOf(deployment);
  if (facts === undefined) throw new Error('it is too large');
  return facts;
}

describe('operator/controller/clusters/watched-objects', () => {
  it('keeps of an object who it is, and nothing that it holds', () => {
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { ...metadata, labels: { ...labels, team: 'a' }, annotations: { last: '{"data":"secret"}' } },
      data: { token: 'secret' },
    };
    expect(identityOf(secret)).to.deep.equal({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { ...metadata, labels },
    });
  });

  it('keeps of a Deployment what conditions and drift are told by', () => {
    const status = {
      observedGeneration: 2,
      updatedReplicas: 1,
      readyReplicas: 1,
      availableReplicas: 1,
      conditions: [{ type: 'Progressing', status: 'False', reason: 'X', message: 'm'.repeat(100_000) }],
    };
    const deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { ...metadata, labels },
      spec: { replicas: 2, template: { spec: { containers: [] } } },
      status: { ...status, collisionCount: 3 },
    } as DeploymentObject;
    const kept = factsOf(deployment);
    expect(kept.spec).to.deep.equal({ replicas: 2 });
    const [condition] = kept.status?.conditions ?? [];
    expect(kept.status).to.deep.equal({ ...status, conditions: [condition] });
    expect(condition).to.include({ type: 'Progressing', status: 'False', reason: 'X' });
    expect(condition?.message).to.have.length(1_024);
    const relabelled = factsOf({ ...deployment, metadata: { ...metadata, labels: labelsOf('other') } });
    expect(mayBeDrift({ object: relabelled, previous: kept, isGone: false })).to.equal(true);
    expect(mayBeDrift({ object: kept, previous: kept, isGone: false })).to.equal(false);
  });

  it('keeps nothing of what is too large to be an object of ours', () => {
    const large = { apiVersion: 'v1', kind: 'Secret', metadata: { ...metadata, name: 'a'.repeat(100_000) } };
    expect(identityOf(large)).to.equal(undefined);
    expect(deploymentFactsOf(large)).to.equal(undefined);
    const spec = { replicas: 'a'.repeat(100_000) } as unknown as { replicas: number };
    expect(deploymentFactsOf({ apiVersion: 'v1', kind: 'Deployment', metadata, spec })).to.equal(undefined);
  });

  it('takes a Deployment without status for what it is', () => {
    const made: DeploymentObject = { apiVersion: 'apps/v1', kind: 'Deployment', metadata };
    expect(deploymentFactsOf(made)).to.deep.equal({
      ...made,
      metadata: { ...metadata, labels: {} },
      spec: {},
      status: {},
    });
  });
});
