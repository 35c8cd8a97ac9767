import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import { parse, stringify } from 'yaml';
import type { SpecInput } from '../../../crds/types.ts';
import { agentClusterRole } from '../../../operator/controller/access.ts';
import { desired, manifest } from '../../../operator/controller/desired.ts';
import type { KubeObject } from '../../../operator/kube/objects.ts';
import { specOf } from './observation.ts';

const gateway = { url: 'https://gateway.example:8443', caPem: 'CA', agentImage: 'clustertunnel:0.1.0' };
const GOLDEN = new URL('../../golden/desired/', import.meta.url);

/** Name of the feature → the spec that uses it. `UPDATE_GOLDEN=1` rewrites the files. */
const CASES: Readonly<Record<string, SpecInput>> = {
  defaults: {},
  'with-namespace': { agent: { namespace: 'team-a' } },
  'with-replicas': { agent: { replicas: 5 } },
  'with-image': { agent: { image: 'registry.example/agent:v9', imagePullPolicy: 'Always' } },
  'with-resources': { agent: { resources: { requests: { cpu: 1, memory: '1Gi' }, limits: { memory: '1Gi' } } } },
  'with-reconnect': { reconnect: { minBackoff: '5s', maxBackoff: '2m' } },
  'with-drain': { timeouts: { drain: '90s' } },
};

function render(input: SpecInput): KubeObject[] {
  return desired({ tunnel: 'prod', spec: specOf(input), gateway, token: 'TOKEN' });
}

function podTemplate(input: SpecInput): unknown {
  const deployment = render(input).find(({ kind }) => kind === 'Deployment') as unknown as {
    spec: { template: unknown };
  };
  return deployment.spec.template;
}

function expectGolden(name: string, objects: readonly KubeObject[]): void {
  const file = new URL(`${name}.yaml`, GOLDEN);
  const text = objects.map((object) => `---\n${stringify(object, { aliasDuplicateObjects: false })}`).join('');
  if (process.env['UPDATE_GOLDEN'] === '1' || !existsSync(file)) writeFileSync(file, text);
  expect(text, `${name}: UPDATE_GOLDEN=1 rewrites it`).to.equal(readFileSync(file, 'utf8'));
}

describe('operator/controller/desired', () => {
  for (const [name, input] of Object.entries(CASES)) {
    it(`renders ${name} as its golden file says`, () => expectGolden(name, render(input)));
  }

  it('renders the manifest of a Manual tunnel as its golden file says', () => {
    const spec = specOf({ agent: { placement: 'Manual' } });
    expectGolden('manual-manifest', manifest({ tunnel: 'prod', spec, gateway, token: 'TOKEN' }));
  });

  it('restarts no pod for what running agents are told over their session', () => {
    const live = {
      limits: { maxConcurrentRequests: 1, maxStreamBufferBytes: '1Mi', maxBufferBytes: '2Mi' },
      timeouts: { request: '5m', connect: '1s' },
      health: { interval: '1m' },
    };
    expect(podTemplate(live)).to.deep.equal(podTemplate({}));
  });

  it('renders the ClusterRole that config/rbac ships', () => {
    const shipped = new URL('../../../config/rbac/agent_cluster_role.yaml', import.meta.url);
    expect(agentClusterRole()).to.deep.equal(parse(readFileSync(shipped, 'utf8')));
  });

  it('property: the same input gives the same manifests, and none touches its input', () => {
    const input = fc.record({
      replicas: fc.integer({ min: 1, max: 10 }),
      image: fc.string({ minLength: 1, maxLength: 20 }),
    });
    fc.assert(
      fc.property(input, (agent) => {
        const spec = Object.freeze(specOf({ agent }));
        const once = desired({ tunnel: 'prod', spec, gateway, token: 'T' });
        expect(JSON.stringify(desired({ tunnel: 'prod', spec, gateway, token: 'T' }))).to.equal(JSON.stringify(once));
      }),
    );
  });
});
