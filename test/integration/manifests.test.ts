import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import { parseAllDocuments } from 'yaml';
import type { SpecInput } from '../../crds/types.ts';
import { validateSpec } from '../../crds/validate.ts';
import { ApiError } from '../../hack/lab/api/client.ts';
import { type KubeObject, pathOf, RESOURCES, resourceOf } from '../../operator/kube/objects.ts';
import { anyAmount } from '../crds/spec-candidates.ts';
import { GOLDEN_CASES, renderGolden } from '../operator/controller/objects/golden-cases.ts';
import { describeOnHub, type Hub, startHub } from '../operator/kube/hub.ts';

const GOLDEN = new URL('../golden/desired/', import.meta.url);
const signal = new AbortController().signal;

describeOnHub('integration/manifests', function () {
  this.timeout(60_000);
  let hub: Hub;

  /** What the API server says to the object, by server-side apply; nothing is stored. Undefined when it just takes it. */
  const complaint = async (object: KubeObject): Promise<string | undefined> => {
    const { name, namespace } = object.metadata;
    const path = pathOf(resourceOf(object), { name, namespace });
    const query = 'dryRun=All&fieldValidation=Strict&fieldManager=test&force=true';
    const contentType = 'application/apply-patch+yaml';
    try {
      const call = { method: 'PATCH', path: `${path}?${query}`, body: object, contentType } as const;
      const response = await hub.cluster.client.open(call, signal);
      response.resume();
      return response.headers['warning'] as string | undefined;
    } catch (error) {
      if (error instanceof ApiError) return error.message;
      throw error;
    }
  };

  before(async () => {
    hub = await startHub('manifests');
    for (const name of ['clustertunnel-agent', 'team-a']) {
      const { apiVersion, kind } = RESOURCES.namespace;
      await hub.client.create(RESOURCES.namespace, {}, { apiVersion, kind, metadata: { name } }, signal);
    }
  });

  after(() => hub?.stop());

  for (const name of Object.keys(GOLDEN_CASES)) {
    it(`has an API server take ${name}.yaml without a warning`, async () => {
      const documents = parseAllDocuments(readFileSync(new URL(`${name}.yaml`, GOLDEN), 'utf8'));
      const complaints = documents.map(async (each) => complaint(each.toJS() as KubeObject));
      expect(await Promise.all(complaints)).to.deep.equal(documents.map(() => undefined));
    });
  }

  it('gives the right to an extra by its own name only: no wildcard stands for one', async () => {
    const rules = ({ apiVersion, kind }: typeof RESOURCES.clusterRole, name: string, resource: string) => ({
      ...{ apiVersion, kind, metadata: { name } },
      rules: [{ apiGroups: ['authentication.k8s.io'], resources: [resource], verbs: ['impersonate'] }],
    });
    const may = async (resource: string) => {
      const name = resource.replace(/[^a-z]+/g, '-');
      await hub.client.create(RESOURCES.clusterRole, {}, rules(RESOURCES.clusterRole, name, resource), signal);
      await hub.kubectl('create', 'clusterrolebinding', name, `--clusterrole=${name}`, `--user=${name}`);
      const attributes = { group: 'authentication.k8s.io', resource: 'userextras', subresource: 'example.com/scopes' };
      const body = {
        ...{ apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview' },
        spec: { user: name, resourceAttributes: { ...attributes, name: 'read', verb: 'impersonate' } },
      };
      const path = '/apis/authorization.k8s.io/v1/subjectaccessreviews';
      const review = await hub.transport.call({ method: 'POST', path, body }, signal);
      return (review as { status: { allowed: boolean } }).status.allowed;
    };
    expect(await may('userextras/example.com/scopes')).to.equal(true);
    expect(await may('userextras/*')).to.equal(false);
    expect(await may('userextras')).to.equal(false);
  });

  it('property: amounts that pass in a spec pass in a Deployment', async () => {
    const amounts = fc.dictionary(fc.constantFrom('cpu', 'memory', 'ephemeral-storage'), anyAmount);
    await fc.assert(
      fc.asyncProperty(amounts, amounts, async (requests, limits) => {
        const spec: SpecInput = { agent: { resources: { requests, limits } } };
        fc.pre('spec' in validateSpec(spec));
        const deployment = renderGolden(spec).find(({ kind }) => kind === 'Deployment');
        const trouble = deployment === undefined ? 'no Deployment' : await complaint(deployment);
        // Less than a whole byte is rounded up, with a warning.
        expect(trouble?.includes('fractional byte value') ? undefined : trouble).to.equal(undefined);
      }),
      { numRuns: 60 },
    );
  });
});
