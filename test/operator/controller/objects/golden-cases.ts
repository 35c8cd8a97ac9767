import { isDeepStrictEqual } from 'node:util';
import type { SpecInput } from '../../../../crds/types.ts';
import { desired, manifest } from '../../../../operator/controller/objects/desired.ts';
import type { KubeObject } from '../../../../operator/kube/objects.ts';
import { specOf } from '../status/observation.ts';

const remote = { placement: 'Kubeconfig', kubeconfigSecretRef: { name: 'prod-kubeconfig' } } as const;
const proxyURL = 'http://proxy.example:3128';

/** Name of the feature → the spec that uses it. */
export const GOLDEN_CASES: Readonly<Record<string, SpecInput>> = {
  defaults: {},
  'with-suspend': { suspend: true, agent: { replicas: 3 } },
  'with-namespace': { agent: { namespace: 'team-a' } },
  'with-replicas': { agent: { replicas: 5 } },
  'with-image': { agent: { image: 'registry.example/agent:v9', imagePullPolicy: 'Always' } },
  'with-resources': { agent: { resources: { requests: { cpu: 1, memory: '1Gi' }, limits: { memory: '1Gi' } } } },
  'with-proxy': { agent: { proxyURL } },
  'with-proxy-and-exceptions': { agent: { proxyURL, noProxy: 'gateway.example,10.0.0.0/8' } },
  'with-reconnect': { reconnect: { minBackoff: '5s', maxBackoff: '2m' } },
  'with-drain': { timeouts: { drain: '90s' } },
  'with-kubeconfig': { agent: remote },
  'manual-manifest': { agent: { placement: 'Manual' } },
  'manual-narrowed': {
    agent: { placement: 'Manual' },
    access: { impersonate: { users: ['jane', 'clustertunnel:hub:ci:bot'], groups: ['dev'] } },
  },
  'manual-extras': {
    agent: { placement: 'Manual' },
    access: { impersonate: { extras: ['example.com/scopes', 'team'] } },
  },
};

/** What is applied for a spec: beside the operator, or at a cluster where nobody has installed our ClusterRole. */
export function renderGolden(input: SpecInput): KubeObject[] {
  const gateway = { url: 'https://gateway.example:8443', caPem: 'CA', agentImage: 'clustertunnel:0.1.0' };
  const spec = specOf(input);
  const render = spec.agent.placement === 'Local' ? desired : manifest;
  return render({ tunnel: 'prod', spec, gateway, token: 'TOKEN' });
}

/** The objects that are not as they are by default: what a reader of the golden file wants to see. */
export function unlikeDefaults(objects: readonly KubeObject[]): KubeObject[] {
  const usual = renderGolden({});
  return objects.filter((object) => !usual.some((each) => isDeepStrictEqual(each, object)));
}
