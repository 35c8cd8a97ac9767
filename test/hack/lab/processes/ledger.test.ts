import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { identityOf, isAlive } from '../../../../hack/lab/processes/identity.ts';
import { Ledger, stopRecorded } from '../../../../hack/lab/processes/ledger.ts';

describe('hack/lab/processes/ledger', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ledger-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('lists pods before their API server, and that before its etcd', () => {
    const ledger = new Ledger(folder);
    const record = { pid: 1, startedAt: 'x', graceMs: 1 };
    ledger.note({ ...record, name: 'etcd', stopOrder: 4 });
    ledger.note({ ...record, name: 'pod-1-main', stopOrder: 1 });
    ledger.note({ ...record, name: 'kube-apiserver', stopOrder: 3 });
    ledger.note({ ...record, name: 'kube-scheduler', stopOrder: 2 });
    ledger.forget('kube-scheduler');
    expect(ledger.read().map(({ name }) => name)).to.deep.equal(['pod-1-main', 'kube-apiserver', 'etcd']);
  });

  it('stops who is still there, and nobody who only has the same number', async () => {
    const sleeper = (): ReturnType<typeof spawn> => spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
    const [recorded, stranger] = [sleeper(), sleeper()];
    const ended = once(recorded, 'exit');
    const identity = identityOf(recorded.pid ?? 0) ?? { pid: 0, startedAt: '' };
    const strangerIdentity = identityOf(stranger.pid ?? 0) ?? { pid: 0, startedAt: '' };
    const ledger = new Ledger(folder);
    ledger.note({ ...identity, name: 'recorded', stopOrder: 1, graceMs: 1_000 });
    ledger.note({ pid: strangerIdentity.pid, startedAt: 'long ago', name: 'gone', stopOrder: 1, graceMs: 1_000 });
    expect(await stopRecorded(folder)).to.equal(2);
    await ended;
    expect(isAlive(strangerIdentity)).to.equal(true);
    expect(ledger.read()).to.deep.equal([]);
    stranger.kill('SIGKILL');
  });
});
