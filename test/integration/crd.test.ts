import { expect } from 'chai';
import fc from 'fast-check';
import { crdManifest } from '../../crds/manifest.ts';
import { specSchema } from '../../crds/schema.ts';
import type { ClusterTunnel } from '../../crds/types.ts';
import { validateSpec } from '../../crds/validate.ts';
import { ApiError } from '../../operator/kube/errors.ts';
import { pathOf, RESOURCES } from '../../operator/kube/objects.ts';
import { REGRESSIONS } from '../crds/regressions.ts';
import { anyAmount, anySpec, type Field, fieldsOf, immutableFieldsOf } from '../crds/spec-candidates.ts';
import { describeOnHub, type Hub, startHub, until } from '../operator/kube/hub.ts';
import { apiVerdict } from '../support/api-verdict.ts';
import { disagreement } from '../support/spec-agreement.ts';

const CRD = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
};
const signal = new AbortController().signal;
const { apiVersion, kind } = RESOURCES.clusterTunnel;
/** Dry runs at once. */
const PARALLEL = 8;

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
  const compare = async (spec: unknown) =>
    disagreement(spec, validateSpec(spec), await apiVerdict(hub.cluster.client, spec));

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
    [
      'a placement without its kubeconfig',
      { agent: { placement: 'Kubeconfig' } },
      /spec\.agent\.kubeconfigSecretRef: .*is required with placement Kubeconfig: name the Secret/,
    ],
    [
      'a Secret without a name',
      { agent: { placement: 'Kubeconfig', kubeconfigSecretRef: { name: '' } } },
      /spec\.agent\.kubeconfigSecretRef\.name: .*must be the name of a Secret: .*for example prod-kubeconfig$/,
    ],
    [
      'an amount that is none',
      { agent: { resources: { requests: { cpu: 'lots' } } } },
      /spec\.agent\.resources\.requests\[cpu\]: .*must be a quantity: .*for example 500m or 256Mi$/,
    ],
    [
      'more memory requested than the limit that nobody wrote',
      { agent: { resources: { requests: { memory: '1Gi' } } } },
      /spec\.agent\.resources\.requests: .*raise resources\.limits \(memory is 256Mi unless you say\)$/,
    ],
  ];
  for (const [name, spec, sentence] of refused) {
    it(`answers ${name} with one clear sentence`, async () => {
      const message = await verdict(spec);
      expect(message).to.match(sentence);
      expect(message, 'one fault, one line').not.to.contain('\n');
      expect(message, 'one fault, one sentence').not.to.contain('is invalid: [');
    });
  }

  for (const name of ['a.b', 'x'.repeat(41)]) {
    it(`refuses the name ${name}`, async () => {
      expect(await verdict({}, name)).to.match(/metadata\.name: .*must be at most 40 lower case letters/);
    });
  }

  for (const { path, first, second, invalid } of immutableFieldsOf(specSchema)) {
    it(`refuses to change ${path} or to take it back, and lets change what stands beside it`, async () => {
      const address = { name: path.replaceAll('.', '-') };
      const update = async (spec: unknown) => {
        const { metadata } = await hub.client.get<ClusterTunnel>(RESOURCES.clusterTunnel, address, signal);
        const body = { apiVersion, kind, metadata, spec };
        return hub.client.replace(RESOURCES.clusterTunnel, address, body, signal).then(
          () => 'accepted',
          (error: Error) => error.message,
        );
      };
      const body = { apiVersion, kind, metadata: address, spec: first };
      await hub.client.create(RESOURCES.clusterTunnel, {}, body, signal);
      for (const other of [second, {}, { agent: null }, null]) {
        const message = await update(other);
        expect(message).to.contain(`${path}: Invalid value`);
        expect(message).to.match(/cannot be changed: delete the ClusterTunnel and create it again$/);
      }
      expect(await update(invalid), 'a value that no tunnel may have').not.to.match(/accepted|cannot be changed/);
      expect(await update({ ...(first as object), suspend: true })).to.equal('accepted');
    });
  }

  it('says in words which fields cannot be changed', () => {
    const fields = immutableFieldsOf(specSchema);
    expect(fields.map(({ path }) => path)).to.deep.equal(['spec.agent.placement', 'spec.agent.namespace']);
    for (const { path, description } of fields) expect(description, path).to.match(/Cannot be changed later\.$/);
  });

  it('explains kubeconfigSecretRef to who asks kubectl', async () => {
    const { stdout } = await hub.kubectl('explain', 'ct.spec.agent.kubeconfigSecretRef');
    expect(stdout).to.match(/Secret in the operator's own namespace .*for\s+placement Kubeconfig only/s);
    expect(stdout).to.match(/name\s+<string> -required-/);
  });

  for (const [name, spec] of Object.entries(REGRESSIONS)) {
    it(`agrees with validateSpec on ${name}`, async () => expect(await compare(spec)).to.equal(undefined));
  }

  it('agrees with validateSpec on every field by itself: bounds, wrong types, near misses', async () => {
    const found: string[] = [];
    const uncovered: string[] = [];
    await eachOf(fieldsOf(specSchema), async ({ path, specs }: Field) => {
      const verdicts = new Set(specs.map((spec) => 'spec' in validateSpec(spec)));
      if (verdicts.size !== 2) uncovered.push(path);
      for (const spec of specs) {
        const trouble = await compare(spec);
        if (trouble !== undefined) found.push(`${path}: ${trouble}`);
      }
    });
    expect(found.join('\n')).to.equal('');
    expect(uncovered, 'fields without a spec that passes and one that does not').to.deep.equal([]);
  });

  it('property: agrees with validateSpec on whole specs', async () => {
    const counts = { valid: 0, all: 0 };
    await fc.assert(
      fc.asyncProperty(anySpec(specSchema), async (spec) => {
        counts.all++;
        if ('spec' in validateSpec(spec)) counts.valid++;
        expect(await compare(spec)).to.equal(undefined);
      }),
      { numRuns: 400 },
    );
    expect(counts.valid / counts.all, 'valid share').to.be.within(0.3, 0.7);
  });

  it('property: compares amounts as the API server does', async () => {
    await fc.assert(
      fc.asyncProperty(anyAmount, anyAmount, async (requested, limit) => {
        const resources = { requests: { cpu: requested }, limits: { cpu: limit } };
        expect(await compare({ agent: { resources } })).to.equal(undefined);
      }),
      { numRuns: 150 },
    );
  });
});

/** `visit` for each, a few at once. */
async function eachOf<T>(items: readonly T[], visit: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items];
  const worker = async () => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await visit(item);
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}
