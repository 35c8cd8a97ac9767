import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { withHub } from '../../cli/cluster.ts';
import { CommandError } from '../../cli/output.ts';
import { ApiError } from '../../operator/kube/errors.ts';

const KUBECONFIG = {
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'hub', cluster: { server: 'https://127.0.0.1:1' } }],
  users: [{ name: 'me', user: {} }],
  contexts: [{ name: 'hub', context: { cluster: 'hub', user: 'me' } }],
  'current-context': 'hub',
};

describe('cli/cluster', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ct-cli-'));
    await writeFile(join(folder, 'config'), JSON.stringify(KUBECONFIG));
  });
  after(() => rm(folder, { recursive: true }));

  const failure = (work: () => Promise<never>, context?: string): Promise<unknown> =>
    withHub({ kubeconfig: join(folder, 'config'), context, 'operator-namespace': 'ns' }, work).catch(
      (error: unknown) => error,
    );

  const cases: readonly (readonly [what: string, status: number, remedy: RegExp])[] = [
    ['a missing right', 403, /ask an administrator/],
    ['a credential that ran out', 401, /log in/],
    ['a change that came in between', 409, /run the command again/],
  ];
  for (const [what, status, remedy] of cases) {
    it(`says what to do about ${what}`, async () => {
      const error = await failure(() => Promise.reject(new ApiError({ status, reason: '', message: 'no' })));
      expect(error).to.be.instanceOf(CommandError);
      expect((error as CommandError).why).to.equal('no');
      expect((error as CommandError).remedy).to.match(remedy);
    });
  }

  it('names the contexts that there are', async () => {
    const error = await failure(() => Promise.reject(new Error('not reached')), 'nope');
    expect((error as CommandError).why).to.contain('no context "nope": it has hub');
  });
});
