import { expect } from 'chai';
import { CommandError } from '../../cli/output.ts';
import { renderManifest } from '../../cli/render-manifest.ts';
import type { KubeClient } from '../../operator/kube/client.ts';

const never = new AbortController().signal;

/** A hub that has only this tunnel. */
function hubWith(tunnel: object | undefined): KubeClient {
  return { server: 'https://hub', find: () => Promise.resolve(tunnel) } as unknown as KubeClient;
}

async function refusalOf(tunnel: object | undefined): Promise<CommandError> {
  try {
    await renderManifest(hubWith(tunnel), { name: 'prod', namespace: 'ns' }, never);
  } catch (error) {
    if (error instanceof CommandError) return error;
    throw error;
  }
  throw new Error('it was rendered');
}

describe('cli/render-manifest', () => {
  const placements: readonly (readonly [placement: string, agent: object])[] = [
    ['Local', {}],
    ['Kubeconfig', { placement: 'Kubeconfig', kubeconfigSecretRef: { name: 'prod-kubeconfig' } }],
  ];
  for (const [placement, agent] of placements) {
    it(`a ${placement} tunnel needs none: the operator deploys the agent`, async () => {
      const refusal = await refusalOf({ metadata: { name: 'prod', uid: 'u' }, spec: { agent } });
      expect(refusal.message).to.equal('ClusterTunnel "prod" needs no manifest');
      expect(refusal.why).to.equal(`its spec.agent.placement is ${placement}: the operator deploys the agent itself`);
    });
  }

  it('names the hub that does not have the tunnel', async () => {
    const refusal = await refusalOf(undefined);
    expect(refusal.message).to.equal('there is no ClusterTunnel "prod"');
    expect(refusal.why).to.contain('https://hub');
  });
});
