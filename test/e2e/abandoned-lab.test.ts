import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { LEDGER_FOLDER } from '../../hack/lab/cluster/cluster.ts';
import { labIdOf } from '../../hack/lab/kubelet-node/addresses.ts';
import { labFolder, REPOSITORY } from '../../hack/lab/paths.ts';
import { isAlive } from '../../hack/lab/processes/identity.ts';
import { readLedger } from '../../hack/lab/processes/ledger.ts';
import { readState } from '../../hack/lab/state.ts';
import { whereRealNodesCanBe } from './stage/stage.ts';

const NAME = 'e2e-abandoned';
const FOLDER = labFolder(NAME);

whereRealNodesCanBe('a lab with real nodes whose supervisor was killed', () => {
  before(async function () {
    this.timeout(240_000);
    await lab('down');
    await lab('up', '--targets=1', '--nodes=kubelet', '--no-install');
  });
  after(async function () {
    this.timeout(60_000);
    await lab('down');
  });

  it('was up: status shows every program of the node', async () => {
    const status = await lab('status');
    for (const program of ['machine', 'containerd', 'kubelet', 'kube-proxy', 'node'])
      expect(status).to.match(new RegExp(`^target-1 ${program} .* yes$`, 'm'));
    expect(status).to.match(/^hub node .* yes$/m);
  });

  it('is gone after down: processes, network, mounts, control groups, files', async () => {
    const state = readState(FOLDER);
    process.kill(state?.supervisor.pid ?? 0, 'SIGKILL');
    const processes = readLedger(join(FOLDER, 'target-1', LEDGER_FOLDER));
    expect(processes.map(({ name }) => name)).to.include.members(['machine', 'kubelet', 'containerd', 'kube-proxy']);
    expect([...links(), ...cgroups()]).to.have.length.greaterThan(1);
    await lab('down');
    expect(processes.filter(isAlive)).to.deep.equal([]);
    expect([...links(), ...cgroups(), ...mounts()]).to.deep.equal([]);
    expect(existsSync(FOLDER)).to.equal(false);
  });
});

function lab(command: string, ...options: string[]): Promise<string> {
  const args = ['--import', 'tsx', 'hack/lab/main.ts', command, '--name', NAME, ...options];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { cwd: REPOSITORY, timeout: 230_000 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`lab ${command}: ${stderr}`, { cause: error }));
    });
  });
}

function links(): string[] {
  return Object.keys(networkInterfaces()).filter((name) => name.startsWith(`ct-${labIdOf(FOLDER).slice(0, 6)}`));
}

function mounts(): string[] {
  return readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .filter((line) => line.includes(FOLDER));
}

function cgroups(): string[] {
  const root = '/sys/fs/cgroup';
  const hierarchies = ['', ...readdirSync(root)].map((name) => join(root, name));
  const names = hierarchies.flatMap((folder) => {
    try {
      return readdirSync(folder);
    } catch {
      return []; // a file
    }
  });
  return names.filter((name) => name.startsWith(`clustertunnel-${labIdOf(FOLDER)}`));
}
