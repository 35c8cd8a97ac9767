import { expect } from 'chai';

describe('operator/kube: @kubernetes/client-node', () => {
  it('loads on this Node (it needs the undici override)', async () => {
    const { KubeConfig, dumpYaml } = await import('@kubernetes/client-node');
    expect(new KubeConfig().getContexts()).to.deep.equal([]);
    expect(dumpYaml({ a: 1 })).to.equal('a: 1\n');
  }).timeout(10_000);
});
