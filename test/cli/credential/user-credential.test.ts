import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { userCredential } from '../../../cli/credential/user-credential.ts';
import { CommandError } from '../../../cli/output.ts';

describe('cli/credential/user-credential', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ct-credential-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const write = (name: string, content: string, mode = 0o600) => {
    writeFileSync(join(folder, name), content, { mode });
    return join(folder, name);
  };
  const cluster = {
    server: 'https://hub:6443',
    extensions: [{ name: 'client.authentication.k8s.io/exec', extension: 7 }],
  };
  const of = (fields: Readonly<Record<string, unknown>>) =>
    userCredential({ name: 'alice', fields }, { env: process.env, isInteractive: false, cluster });
  const refusal = async (fields: Readonly<Record<string, unknown>>) => {
    const error = await of(fields).catch((each: unknown) => each);
    expect(error).to.be.instanceOf(CommandError);
    return error as CommandError;
  };
  /** A plugin that prints this text of a shell. */
  const plugin = (script: string, more: object = {}) => ({
    exec: {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: write('login', `#!/bin/sh\n${script}\n`, 0o700),
      ...more,
    },
  });
  const PRINTED = (token: string) =>
    `printf '{"apiVersion":"v","kind":"ExecCredential","status":{"token":"%s"}}' "${token}"`;

  it('reads a token, and a token file anew', async () => {
    expect(await of({ token: 'x' })).to.deep.equal({ token: 'x' });
    expect(await of({ token: 'x', tokenFile: write('token', 'y\n') })).to.deep.equal({ token: 'y' });
  });

  it('reads a client certificate, in line or from files, before a token', async () => {
    const pair = { clientCertificateData: 'CERT', clientKeyData: 'KEY' };
    const data = (text: string) => Buffer.from(text).toString('base64');
    expect(
      await of({ token: 'x', 'client-certificate-data': data('CERT'), 'client-key-data': data('KEY') }),
    ).to.deep.equal(pair);
    const files = { 'client-certificate': write('c', 'CERT'), 'client-key': write('k', 'KEY') };
    expect(await of(files)).to.deep.equal(pair);
  });

  it('runs the plugin of the hub with its arguments and environment', async () => {
    const script = PRINTED('$1-$GREETING');
    expect(await of(plugin(script, { args: ['a'], env: [{ name: 'GREETING', value: 'b' }] }))).to.deep.equal({
      token: 'a-b',
    });
  });

  it('tells the plugin what kubectl would', async () => {
    const script = `printf '%s' "$KUBERNETES_EXEC_INFO" > ${join(folder, 'info')}; ${PRINTED('x')}`;
    await of(plugin(script, { provideClusterInfo: true }));
    expect(JSON.parse(readFileSync(join(folder, 'info'), 'utf8'))).to.deep.equal({
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      spec: { interactive: false, cluster: { server: 'https://hub:6443', config: 7 } },
    });
  });

  it('says how a plugin failed', async () => {
    expect((await refusal(plugin('exit 3'))).why).to.match(/login ended with 3/);
    expect((await refusal(plugin('echo secret'))).why).to.equal('it is no JSON object');
    expect((await refusal({ exec: { command: join(folder, 'none') } })).why).to.contain('ENOENT');
    expect((await refusal({ exec: {} })).why).to.contain('exec.command');
  });

  it('says what to do where there is no credential', async () => {
    expect((await refusal({ username: 'alice', password: 'x' })).remedy).to.contain('--service-account');
    expect((await refusal({ 'auth-provider': { name: 'oidc' } })).why).to.contain('auth-provider');
    expect((await refusal({ tokenFile: join(folder, 'none') })).why).to.contain('ENOENT');
  });
});
