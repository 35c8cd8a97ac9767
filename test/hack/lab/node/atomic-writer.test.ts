import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { writeVolume } from '../../../../hack/lab/node/atomic-writer.ts';

describe('hack/lab/node/atomic-writer', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'volume-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const write = (files: Record<string, string>): boolean =>
    writeVolume(
      folder,
      new Map(Object.entries(files).map(([path, text]) => [path, { bytes: Buffer.from(text), mode: 0o600 }])),
    );
  const visible = (): string[] => readdirSync(folder).filter((name) => !name.startsWith('..'));
  const versions = (): string[] => readdirSync(folder).filter((name) => name.startsWith('..') && name !== '..data');

  it('shows files through ..data', () => {
    write({ 'ca.crt': 'certificate', 'keys/a': 'deep' });
    expect(readFileSync(join(folder, 'ca.crt'), 'utf8')).to.equal('certificate');
    expect(readFileSync(join(folder, 'keys/a'), 'utf8')).to.equal('deep');
    expect(readlinkSync(join(folder, 'ca.crt'))).to.equal('..data/ca.crt');
    expect(statSync(join(folder, 'ca.crt')).mode & 0o777).to.equal(0o600);
  });

  it('replaces all files at once and keeps no old version', () => {
    write({ a: '1', b: '1' });
    const before = readlinkSync(join(folder, '..data'));
    expect(write({ a: '2', c: '2' })).to.equal(true);
    expect(readlinkSync(join(folder, '..data'))).not.to.equal(before);
    expect(visible()).to.have.members(['a', 'c']);
    expect(readFileSync(join(folder, 'a'), 'utf8')).to.equal('2');
    expect(versions()).to.have.length(1);
  });

  it('touches nothing when nothing has changed', () => {
    write({ a: '1' });
    const before = readlinkSync(join(folder, '..data'));
    expect(write({ a: '1' })).to.equal(false);
    expect(readlinkSync(join(folder, '..data'))).to.equal(before);
  });
});
