import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { foldersAbove, tar } from '../../../../hack/lab/images/tar.ts';

const listed = (archive: Buffer) =>
  execFileSync('tar', ['--list', '--verbose', '--numeric-owner', '--file=-'], { input: archive, encoding: 'utf8' })
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/\s+/));

describe('hack/lab/images/tar', () => {
  const entries = [
    { path: 'bin', mode: 0o755 },
    { path: 'bin/tool', mode: 0o755, content: Buffer.from('#!/bin/sh\n') },
    { path: 'bin/alias', mode: 0o777, linkTo: 'tool' },
    { path: 'empty', mode: 0o600, content: Buffer.alloc(0) },
    { path: 'block', mode: 0o644, content: Buffer.alloc(512, 1) },
  ];

  it('is read by the system: folders, files, links, modes, sizes', () => {
    const rows = listed(tar(entries));
    expect(rows.map(([mode, owner, size]) => [mode, owner, size])).to.deep.equal([
      ['drwxr-xr-x', '0/0', '0'],
      ['-rwxr-xr-x', '0/0', '10'],
      ['lrwxrwxrwx', '0/0', '0'],
      ['-rw-------', '0/0', '0'],
      ['-rw-r--r--', '0/0', '512'],
    ]);
    expect(rows[2]?.slice(-3)).to.deep.equal(['bin/alias', '->', 'tool']);
  });

  it('is the same bytes each time', () => {
    expect(tar(entries).equals(tar(entries))).to.equal(true);
  });

  it('refuses a path that its header cannot hold', () => {
    expect(() => tar([{ path: 'x'.repeat(101), mode: 0o644 }])).to.throw(RangeError);
  });

  it('names the folders above, parents first, once', () => {
    const paths = foldersAbove(['usr/local/bin/node', 'usr/lib/a.so', 'top']).map(({ path }) => path);
    expect(paths).to.deep.equal(['usr', 'usr/lib', 'usr/local', 'usr/local/bin']);
  });
});
