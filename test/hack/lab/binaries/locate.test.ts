import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { findBinaries, findHelm, findNodeBinaries, ownFolder } from '../../../../hack/lab/binaries/locate.ts';
import { CONTROL_PLANE, HELM, NODE, PROGRAMS } from '../../../../hack/lab/binaries/programs.ts';
import { platform } from '../../../../hack/lab/binaries/versions.ts';

describe('hack/lab/binaries/locate', () => {
  let folder: string;
  let environment: NodeJS.ProcessEnv;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'binaries-'));
    environment = { XDG_CACHE_HOME: join(folder, 'cache'), XDG_DATA_HOME: join(folder, 'data') };
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const put = (into: string, programs: readonly string[] = PROGRAMS): string => {
    mkdirSync(into, { recursive: true });
    for (const program of programs) {
      writeFileSync(join(into, program), '');
      chmodSync(join(into, program), 0o755);
    }
    return into;
  };
  const store = (version: string): string => {
    const { os, arch } = platform();
    return join(folder, 'data/kubebuilder-envtest/k8s', `${version}-${os}-${arch}`);
  };
  const sourceOf = (): string => {
    const found = findBinaries(environment);
    return 'files' in found ? found.files.etcd : found.reason;
  };

  it('says what to do when there is nothing', () => {
    expect(sourceOf()).to.equal('no control plane binaries on this machine: run `make lab-binaries`');
  });

  it("prefers $KUBEBUILDER_ASSETS, then setup-envtest's newest, then its own cache", () => {
    const own = put(ownFolder(CONTROL_PLANE, environment));
    expect(sourceOf()).to.equal(join(own, 'etcd'));
    put(store('1.9.0'));
    put(store('1.36.0'));
    expect(sourceOf()).to.equal(join(store('1.36.0'), 'etcd'));
    environment['KUBEBUILDER_ASSETS'] = put(join(folder, 'assets'));
    expect(sourceOf()).to.equal(join(folder, 'assets', 'etcd'));
  });

  it('takes no source that lacks a program, and names it', () => {
    environment['KUBEBUILDER_ASSETS'] = put(join(folder, 'assets'), ['etcd', 'kube-apiserver', 'kubectl']);
    expect(sourceOf()).to.include('has no kube-controller-manager, kube-scheduler');
  });

  it("takes everybody's own Helm before one from its cache, and nothing else from PATH", () => {
    expect(findHelm(environment)).to.deep.equal({
      reason: 'no Helm client on this machine: run `npm run lab -- binaries --helm`',
    });
    const own = put(ownFolder(HELM, environment), ['helm']);
    expect(findHelm(environment)).to.deep.include({ files: { helm: join(own, 'helm') } });
    const path = put(join(folder, 'bin'), ['helm', ...PROGRAMS]);
    environment['PATH'] = `:relative:${path}`;
    expect(findHelm(environment)).to.deep.include({ files: { helm: join(path, 'helm') }, source: '$PATH' });
    expect(findBinaries(environment)).to.have.property('reason');
  });

  it('keeps the programs of a real node apart: who has none needs none', () => {
    put(ownFolder(CONTROL_PLANE, environment));
    expect(findNodeBinaries(environment)).to.deep.equal({
      reason: 'no node binaries on this machine: run `npm run lab -- binaries --nodes kubelet`',
    });
    expect(ownFolder(NODE, environment)).to.match(/-node$/);
  });
});
