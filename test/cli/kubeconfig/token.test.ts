import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect } from 'chai';
import { givenToken } from '../../../cli/kubeconfig/token.ts';
import { CommandError } from '../../../cli/output.ts';

describe('cli/kubeconfig/token', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ct-token-'));
  });
  after(() => rm(folder, { recursive: true }));

  const given = (flags: { token?: string; file?: string }, stdin = '') =>
    givenToken({ token: flags.token, 'token-file': flags.file }, Readable.from([Buffer.from(stdin)]));
  const failure = (work: Promise<unknown>) => work.catch((error: unknown) => error);

  it('is none without flags', async () => expect(await given({})).to.equal(undefined));
  it('is what --token says', async () => expect(await given({ token: 'abc.def' })).to.equal('abc.def'));
  it('comes from stdin without its line break', async () => {
    expect(await given({ file: '-' }, 'abc\n')).to.equal('abc');
  });
  it('comes from a file', async () => {
    await writeFile(join(folder, 'token'), 'abc\r\n');
    expect(await given({ file: join(folder, 'token') })).to.equal('abc');
  });

  it('is refused when it is empty, when it cannot stand in a header, and when it is too long', async () => {
    for (const [text, why] of [
      ['', /empty/],
      ['a b', /characters that no bearer token has/],
      ['x'.repeat(70_000), /more than 65536 bytes/],
    ] as const) {
      const error = await failure(given({ file: '-' }, text));
      expect(error).to.be.instanceOf(CommandError);
      expect((error as CommandError).why).to.match(why);
      expect((error as CommandError).why).not.to.contain('a b');
    }
  });

  it('says which file cannot be read', async () => {
    const error = await failure(given({ file: join(folder, 'nowhere') }));
    expect((error as CommandError).message).to.contain(join(folder, 'nowhere'));
    expect((error as CommandError).why).to.contain('ENOENT');
  });
});
