import { expect } from 'chai';
import { findNodeTools, type MachineFacts } from '../../../../hack/lab/kubelet-node/prerequisites.ts';

const COMPLETE: MachineFacts = {
  os: 'linux',
  isRoot: true,
  find: (program) => `/usr/bin/${program}`,
  cniFolder: '/usr/lib/cni',
};

describe('hack/lab/kubelet-node/prerequisites', () => {
  it('finds the tools of a machine that has all of them', () => {
    expect(findNodeTools(COMPLETE)).to.deep.equal({
      containerd: '/usr/bin/containerd',
      busybox: '/usr/bin/busybox',
      cniFolder: '/usr/lib/cni',
    });
  });

  it('asks for Linux and for root first', () => {
    expect(findNodeTools({ ...COMPLETE, os: 'darwin' }))
      .to.have.property('reason')
      .that.contains('need Linux');
    expect(findNodeTools({ ...COMPLETE, isRoot: false }))
      .to.have.property('reason')
      .that.contains('need root');
  });

  it('names each missing package once, and the command that installs them', () => {
    const missing = ['containerd', 'ctr', 'nft'];
    const find = (program: string) => (missing.includes(program) ? undefined : `/usr/bin/${program}`);
    const list = 'containerd nftables containernetworking-plugins';
    expect(findNodeTools({ ...COMPLETE, find, cniFolder: undefined })).to.deep.equal({
      reason: `real nodes need the packages ${list}: apt-get update && apt-get install -y --no-install-recommends ${list}`,
    });
  });
});
