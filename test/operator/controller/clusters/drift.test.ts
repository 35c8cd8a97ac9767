import { expect } from 'chai';
import { isOnlyStatus, mayBeDrift, tunnelsOf } from '../../../../operator/controller/clusters/drift.ts';
import { labelsOf } from '../../../../operator/controller/names.ts';
import type { KubeObject } from '../../../../operator/kube/objects.ts';

type Changes = Partial<KubeObject['metadata']> & { kind?: string; ready?: number };

function object({ kind = 'Deployment', ready = 0, ...metadata }: Changes = {}): KubeObject {
  const made = { name: 'a', namespace: 'agents', uid: 'u', generation: 1, labels: labelsOf('prod') };
  return { apiVersion: 'v1', kind, metadata: { ...made, ...metadata }, status: { ready } } as KubeObject;
}

describe('operator/controller/clusters/drift', () => {
  const cases: Record<string, { before?: KubeObject; after: KubeObject; isGone?: boolean; isDrift: boolean }> = {
    'a Deployment whose status changed': { before: object(), after: object({ ready: 2 }), isDrift: false },
    'a Deployment that got a label of somebody else': {
      before: object(),
      after: object({ labels: { ...labelsOf('prod'), team: 'a' } }),
      isDrift: false,
    },
    'a Deployment whose spec changed': { before: object(), after: object({ generation: 2 }), isDrift: true },
    'a Deployment whose label of ours changed': {
      before: object(),
      after: object({ labels: { ...labelsOf('prod'), 'app.kubernetes.io/component': 'other' } }),
      isDrift: true,
    },
    'a Deployment that lost a label of ours': {
      before: object(),
      after: object({ labels: { 'clustertunnel.io/tunnel': 'prod' } }),
      isDrift: true,
    },
    'a Deployment made anew': { before: object(), after: object({ uid: 'v' }), isDrift: true },
    'a Deployment never seen before': { after: object(), isDrift: true },
    'a Deployment that is gone': { before: object(), after: object(), isGone: true, isDrift: true },
    'any change of a Secret': {
      before: object({ kind: 'Secret' }),
      after: object({ kind: 'Secret', resourceVersion: '2' }),
      isDrift: true,
    },
  };
  for (const [what, { before, after, isGone = false, isDrift }] of Object.entries(cases)) {
    it(`takes ${what} for ${isDrift ? 'drift' : 'no drift'}`, () => {
      expect(mayBeDrift({ object: after, previous: before, isGone })).to.equal(isDrift);
    });
  }

  const user = { annotations: { team: 'a' }, finalizers: ['clustertunnel.io/finalizer'], resourceVersion: '1' };
  const tunnels: Record<string, { before?: KubeObject; after: KubeObject; isGone?: boolean; isOnly: boolean }> = {
    'a status that was written': {
      before: object(user),
      after: object({ ...user, resourceVersion: '2' }),
      isOnly: true,
    },
    'another spec': { before: object(user), after: object({ ...user, generation: 2 }), isOnly: false },
    'the annotation of somebody who gives up': {
      before: object(user),
      after: object({ ...user, annotations: { abandon: 'true' } }),
      isOnly: false,
    },
    'a deletion': { before: object(user), after: object({ ...user, deletionTimestamp: 'now' }), isOnly: false },
    'a finalizer that was taken': { before: object(user), after: object({ ...user, finalizers: [] }), isOnly: false },
    'a namesake': { before: object(user), after: object({ ...user, uid: 'v' }), isOnly: false },
    'the first that is seen of it': { after: object(user), isOnly: false },
    'its end': { before: object(user), after: object(user), isGone: true, isOnly: false },
  };
  for (const [what, { before, after, isGone = false, isOnly }] of Object.entries(tunnels)) {
    it(`takes ${what} of a tunnel for ${isOnly ? 'nothing but a status' : 'more than a status'}`, () => {
      expect(isOnlyStatus({ object: after, previous: before, isGone })).to.equal(isOnly);
    });
  }

  it('tells the tunnel that an object was taken from as well as the one that it was given to', () => {
    const change = {
      object: object({ labels: labelsOf('b') }),
      previous: object({ labels: labelsOf('a') }),
      isGone: false,
    };
    expect(tunnelsOf(change).sort()).to.deep.equal(['a', 'b']);
    expect(tunnelsOf({ object: object({ labels: {} }), previous: object(), isGone: false })).to.deep.equal(['prod']);
    expect(tunnelsOf({ object: object({ labels: {} }), previous: undefined, isGone: false })).to.deep.equal([]);
  });
});
