import { expect } from 'chai';
import fc from 'fast-check';
import { crdManifest } from '../../crds/manifest.ts';
import { validateSpec } from '../../crds/validate.ts';
import { ApiError } from '../../operator/kube/errors.ts';
import { pathOf, RESOURCES } from '../../operator/kube/objects.ts';
import { describeOnHub, type Hub, startHub, until } from '../operator/kube/hub.ts';

const CRD = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
};
const signal = new AbortController().signal;
const { apiVersion, kind } = RESOURCES.clusterTunnel;

describeOnHub('integration/crd', function () {
  this.timeout(60_000);
  let hub: Hub;

  /** What the API server has against a new tunnel; nothing is stored. */
  const verdict = async (spec: unknown, name = 'probe'): Promise<string | undefined> => {
    const body = { apiVersion, kind, metadata: { name }, spec };
    const query = { dryRun: 'All', fieldValidation: 'Strict' };
    try {
      await hub.transport.call({ method: 'POST', path: pathOf(RESOURCES.clusterTunnel), query, body }, signal);
      return undefined;
    } catch (error) {
      if (!(error instanceof ApiError) || ![400, 422].includes(error.status)) throw error;
      return error.message;
    }
  };
  const isServed = () =>
    verdict({}).then(
      (trouble) => trouble === undefined,
      () => false,
    );

  before(async () => {
    hub = await startHub('crd');
    await hub.client.create(CRD, {}, crdManifest(), signal);
    await until('the CRD to be served', isServed);
  });

  after(() => hub?.stop());

  const refused: readonly (readonly [name: string, spec: unknown, sentence: RegExp])[] = [
    [
      'a wrong size unit',
      { limits: { maxBufferBytes: '32MB' } },
      /spec\.limits\.maxBufferBytes: .*must be a size from 1Mi to 4Gi: .*for example 32Mi$/,
    ],
    [
      'a wrong duration unit',
      { timeouts: { request: '2 minutes' } },
      /spec\.timeouts\.request: .*must be a duration from 1s to 1h: .*for example 2m$/,
    ],
    ['an unknown field', { limits: { maxBuffer: '1Mi' } }, /unknown field "spec\.limits\.maxBuffer"$/],
    [
      'a minimum beyond the maximum',
      { reconnect: { minBackoff: '1m' } },
      /spec\.reconnect\.minBackoff: .*must not exceed reconnect\.maxBackoff: lower it, or raise reconnect\.maxBackoff$/,
    ],
    [
      'a stream buffer beyond the whole',
      { limits: { maxStreamBufferBytes: '64Mi' } },
      /spec\.limits\.maxStreamBufferBytes: .*must not exceed limits\.maxBufferBytes/,
    ],
    [
      'a namespace that is none',
      { agent: { namespace: 'Foo_Bar' } },
      /spec\.agent\.namespace: .*must be a namespace name/,
    ],
  ];
  for (const [name, spec, sentence] of refused) {
    it(`answers ${name} with one clear sentence`, async () => {
      const message = await verdict(spec);
      expect(message).to.match(sentence);
      expect(message, 'one fault, one line').not.to.contain('\n');
    });
  }

  for (const name of ['a.b', 'x'.repeat(41)]) {
    it(`refuses the name ${name}`, async () => {
      expect(await verdict({}, name)).to.match(/metadata\.name: .*must be at most 40 lower case letters/);
    });
  }

  it('refuses to move a tunnel to another placement or namespace', async () => {
    const address = { name: 'fixed' };
    await hub.client.create(RESOURCES.clusterTunnel, {}, { apiVersion, kind, metadata: address, spec: {} }, signal);
    for (const agent of [{ placement: 'Manual' }, { namespace: 'other' }]) {
      const patch = { type: 'application/merge-patch+json', body: { spec: { agent } } } as const;
      const error = await hub.client
        .patch(RESOURCES.clusterTunnel, address, patch, signal)
        .catch((thrown: unknown) => thrown);
      expect(error)
        .to.have.property('message')
        .that.matches(/cannot be changed: delete the ClusterTunnel/);
    }
  });

  it('fills in the defaults that ajv fills in', async () => {
    const body = { apiVersion, kind, metadata: { name: 'defaults' } };
    const created = await hub.client.create<{ spec: unknown }>(RESOURCES.clusterTunnel, {}, body, signal);
    expect({ spec: created.spec }).to.deep.equal(validateSpec({}));
  });

  it('property: the API server and ajv agree on every spec', async () => {
    const text = fc.constantFrom('1s', '500ms', '0s', '2m', '3h', '10', '1d', '', '1.5s', ' 1s', '99999h');
    const size = fc.constantFrom<string | number>(
      '1Mi',
      '64Ki',
      '4Gi',
      '5Gi',
      '32MB',
      '1e6',
      0,
      2_000_000,
      '-1',
      '0Mi',
    );
    const optional = { requiredKeys: [] };
    const spec = fc.record(
      {
        agent: fc.record({ replicas: fc.constantFrom(0, 1, 10, 11), image: fc.constantFrom('', 'i') }, optional),
        limits: fc.record(
          { maxConcurrentRequests: fc.constantFrom(0, 1, 5_000), maxStreamBufferBytes: size, maxBufferBytes: size },
          optional,
        ),
        timeouts: fc.record({ connect: text, disconnectGrace: text, drain: text }, optional),
        reconnect: fc.record({ minBackoff: text, maxBackoff: text }, optional),
      },
      optional,
    );
    await fc.assert(
      fc.asyncProperty(spec, async (candidate) => {
        const ours = validateSpec(candidate);
        const theirs = await verdict(candidate);
        const both = JSON.stringify({ candidate, ours: 'errors' in ours ? ours.errors : [], theirs });
        expect('errors' in ours, both).to.equal(theirs !== undefined);
      }),
      { numRuns: 150 },
    );
  });
});
