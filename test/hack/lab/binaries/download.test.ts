import { expect } from 'chai';
import { checksumOf, downloadRefusal } from '../../../../hack/lab/binaries/download.ts';
import { required } from '../../../../hack/lab/binaries/versions.ts';

describe('hack/lab/binaries/download', () => {
  const [a, b] = ['a'.repeat(64), 'b'.repeat(64)];

  it('reads a bare checksum and a list of them', () => {
    expect(checksumOf(`${a}\n`, 'kubectl')).to.equal(a);
    expect(checksumOf(`${a}  etcd-arm64.tar.gz\n${b}  etcd-amd64.tar.gz\n`, 'etcd-amd64.tar.gz')).to.equal(b);
  });

  it('accepts nothing else for a checksum', () => {
    expect(() => checksumOf('<html>not found</html>', 'kubectl')).to.throw('no checksum is published for kubectl');
    expect(() => checksumOf(`${a}  x\n${b}  y\n`, 'z')).to.throw('no checksum is published for z');
  });

  it('can be switched off', () => {
    expect(downloadRefusal({ CLUSTERTUNNEL_LAB_DOWNLOAD: 'off' })).to.equal('CLUSTERTUNNEL_LAB_DOWNLOAD=off');
  });

  it('takes its versions from go.mod', () => {
    expect(required('require helm.sh/helm/v3 v3.22.0 // indirect', 'helm.sh/helm/v3')).to.equal('v3.22.0');
    expect(required('require (\n\tk8s.io/kubernetes v1.36.3\n)', 'k8s.io/kubernetes')).to.equal('v1.36.3');
  });
});
