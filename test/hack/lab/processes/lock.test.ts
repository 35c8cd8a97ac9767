import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { identityOf } from '../../../../hack/lab/processes/identity.ts';
import { take } from '../../../../hack/lab/processes/lock.ts';

describe('hack/lab/processes/lock', () => {
  let folder: string;
  let path: string;
  const self = identityOf(process.pid) ?? { pid: 0, startedAt: '' };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lock-'));
    path = join(folder, 'lock');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is taken once', () => {
    expect(take(path)).to.equal(true);
    expect(take(path)).to.equal(false);
    expect(readdirSync(folder)).to.deep.equal(['lock']);
  });

  it('is taken over from a process that is gone', () => {
    writeFileSync(path, JSON.stringify({ pid: 4_194_300, startedAt: '1' }));
    expect(take(path)).to.equal(true);
    expect(JSON.parse(readFileSync(path, 'utf8'))).to.deep.equal(self);
  });

  it('is taken over when another process has the number of the holder', () => {
    writeFileSync(path, JSON.stringify({ ...self, startedAt: 'long ago' }));
    expect(take(path)).to.equal(true);
  });

  it('is not taken from a living process', () => {
    writeFileSync(path, JSON.stringify(self));
    expect(take(path, { pid: 1, startedAt: 'whenever' })).to.equal(false);
    expect(JSON.parse(readFileSync(path, 'utf8'))).to.deep.equal(self);
  });
});
