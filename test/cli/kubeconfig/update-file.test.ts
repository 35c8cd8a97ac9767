import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { updateFile } from '../../../cli/kubeconfig/update-file.ts';
import { CommandError } from '../../../cli/output.ts';

const modeOf = (path: string) => statSync(path).mode & 0o777;

describe('cli/kubeconfig/update-file', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ct-file-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('makes a file that only its owner reads, and the folders above it', () => {
    const path = join(folder, 'new', '.kube', 'config');
    updateFile(path, (text) => `${text}new`);
    expect(readFileSync(path, 'utf8')).to.equal('new');
    expect(modeOf(path)).to.equal(0o600);
    expect(modeOf(join(folder, 'new'))).to.equal(0o700);
  });

  it('keeps the mode that the file has, and leaves nothing beside it', () => {
    const path = join(folder, 'config');
    writeFileSync(path, 'old');
    chmodSync(path, 0o664);
    updateFile(path, (text) => `${text}+new`);
    expect(readFileSync(path, 'utf8')).to.equal('old+new');
    expect(modeOf(path)).to.equal(0o664);
    expect(readdirSync(folder)).to.deep.equal(['config']);
  });

  it('writes through symbolic links, whether their file is there or not', () => {
    mkdirSync(join(folder, 'real'));
    symlinkSync('real/config', join(folder, 'middle'));
    symlinkSync('middle', join(folder, 'link'));
    for (const expected of ['x', 'xx']) {
      updateFile(join(folder, 'link'), (text) => `${text}x`);
      expect(readFileSync(join(folder, 'real', 'config'), 'utf8')).to.equal(expected);
    }
    expect(lstatSync(join(folder, 'link')).isSymbolicLink()).to.equal(true);
    expect(lstatSync(join(folder, 'middle')).isSymbolicLink()).to.equal(true);
  });

  it('does not touch a file that is to stay as it is', () => {
    const path = join(folder, 'config');
    writeFileSync(path, 'same');
    utimesSync(path, 1, 1);
    updateFile(path, (text) => text);
    expect(statSync(path).mtimeMs).to.equal(1_000);
  });

  it("holds kubectl's lock while it works, and gives it back when the work fails", () => {
    const path = join(folder, 'config');
    const work = () =>
      updateFile(path, () => {
        expect(existsSync(`${path}.lock`)).to.equal(true);
        throw new Error('changed my mind');
      });
    expect(work).to.throw('changed my mind');
    expect(readdirSync(folder)).to.deep.equal([]);
  });

  it('says who may hold the lock, and leaves lock and file alone', () => {
    const path = join(folder, 'config');
    writeFileSync(path, 'old');
    writeFileSync(`${path}.lock`, '');
    expect(() => updateFile(path, () => 'new'))
      .to.throw(CommandError, 'is locked')
      .with.property('remedy')
      .that.contains(`rm ${path}.lock`);
    expect(readFileSync(path, 'utf8')).to.equal('old');
    expect(existsSync(`${path}.lock`)).to.equal(true);
  });

  it('says how to remove the lock in words that a shell takes', () => {
    const path = join(folder, "it's mine");
    writeFileSync(`${path}.lock`, '');
    expect(() => updateFile(path, () => 'new'))
      .to.throw(CommandError, 'is locked')
      .with.property('remedy')
      .that.contains(`rm '${folder}/it'\\''s mine.lock'`);
  });

  it('is not stopped by what a crash left of a process with the same id: in containers every one has it', () => {
    const path = join(folder, 'config');
    writeFileSync(join(folder, `.config.${process.pid}.tmp`), 'half');
    updateFile(path, () => 'new');
    expect(readFileSync(path, 'utf8')).to.equal('new');
  });

  it('refuses what is no file, no UTF-8, or too large, and leaves it alone', () => {
    mkdirSync(join(folder, 'directory'));
    writeFileSync(join(folder, 'latin1'), Buffer.from([0x63, 0xe9, 0x0a]));
    writeFileSync(join(folder, 'huge'), Buffer.alloc(17 * 1024 * 1024));
    for (const [name, why] of [
      ['directory', /is not a file/],
      ['latin1', /is not UTF-8/],
      ['huge', /too many/],
    ] as const) {
      expect(() => updateFile(join(folder, name), () => 'new'), name)
        .to.throw(CommandError, 'cannot be changed')
        .with.property('why')
        .that.matches(why);
    }
    expect([...readFileSync(join(folder, 'latin1'))]).to.deep.equal([0x63, 0xe9, 0x0a]);
    expect(readdirSync(folder)).to.have.members(['directory', 'latin1', 'huge']);
  });

  it('keeps a byte order mark', () => {
    const path = join(folder, 'config');
    writeFileSync(path, '\uFEFFkind: Config\n');
    updateFile(path, (text) => `${text}users: []\n`);
    expect(readFileSync(path).subarray(0, 3)).to.deep.equal(Buffer.from([0xef, 0xbb, 0xbf]));
  });
});
