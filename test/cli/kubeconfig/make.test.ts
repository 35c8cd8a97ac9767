import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { KubeConfig } from '@kubernetes/client-node';
import { expect } from 'chai';
import { parseKubeconfig } from '../../../cli/kubeconfig/document.ts';
import { type KubeconfigFlags, makeKubeconfig } from '../../../cli/kubeconfig/make.ts';
import { CommandError, failureText } from '../../../cli/output.ts';

const TUNNEL_PATH = '/apis/clustertunnel.io/v1alpha1/clustertunnels/prod';
const GATEWAY_PATH = '/api/v1/namespaces/clustertunnel-system/configmaps/clustertunnel-gateway';
const READY = { type: 'Ready', status: 'True', message: '' };
const TUNNEL = {
  metadata: { name: 'prod', uid: 'u' },
  status: { endpoint: 'https://gateway/clusters/prod', conditions: [READY] },
};
const GATEWAY = {
  metadata: { name: 'gateway' },
  data: { url: 'https://gateway/', 'ca.crt': 'CA', 'agent-image': 'i' },
};
const FORBIDDEN = 403;

describe('cli/kubeconfig/make', () => {
  let folder = '';
  let server: Server;
  let hubUrl = '';
  /** What the hub answers by path: an object, or a status. Anything else is not there. */
  let answers: Record<string, object | number>;
  let requests: string[];

  before(async () => {
    server = createServer((request, response) => {
      requests.push(`${request.headers.authorization} ${request.url}`);
      const answer = answers[request.url ?? ''] ?? 404;
      const status = typeof answer === 'number' ? answer : 200;
      const body = typeof answer === 'number' ? { kind: 'Status', message: `hub says ${answer}` } : answer;
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    hubUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => new Promise((resolve) => server.close(resolve)));
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ct-make-'));
    answers = { [TUNNEL_PATH]: TUNNEL, [GATEWAY_PATH]: GATEWAY };
    requests = [];
    writeHub('config', { token: 'alices-token' });
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const path = (name: string) => join(folder, name);
  const read = (name: string) => readFileSync(path(name), 'utf8');

  /** A kubeconfig whose current context is the hub. */
  function writeHub(name: string, user: object): void {
    const cluster = { server: hubUrl, 'insecure-skip-tls-verify': true };
    const config = {
      kind: 'Config',
      clusters: [{ name: 'hub', cluster }],
      users: [{ name: 'alice', user }],
      contexts: [{ name: 'hub', context: { cluster: 'hub', user: 'alice' } }],
      'current-context': 'hub',
    };
    writeFileSync(path(name), JSON.stringify(config));
  }

  interface Way {
    readonly env?: NodeJS.ProcessEnv;
    readonly stdin?: string;
  }
  function make(flags: Partial<KubeconfigFlags> = {}, { env, stdin = '' }: Way = {}) {
    const defaults = {
      name: 'prod',
      kubeconfig: undefined,
      context: undefined,
      'operator-namespace': 'clustertunnel-system',
      'set-context-name': undefined,
      token: undefined,
      'token-file': undefined,
      write: false,
      output: undefined,
      use: false,
      force: false,
      'dry-run': false,
      exec: undefined,
      'service-account': undefined,
    };
    return makeKubeconfig(
      { ...defaults, ...flags },
      { env: env ?? { KUBECONFIG: path('config') }, stdin: Readable.from([Buffer.from(stdin)]) },
    );
  }
  const pluginIn = (kubeconfig: string) =>
    parseKubeconfig(kubeconfig).users[0]?.fields['exec'] as Readonly<Record<string, unknown>>;
  async function failure(...args: Parameters<typeof make>): Promise<CommandError> {
    const error = await make(...args).catch((each: unknown) => each);
    expect(error).to.be.instanceOf(CommandError);
    return error as CommandError;
  }

  it('prints a kubeconfig that stands alone: endpoint, CA and the credential of the hub', async () => {
    const { stdout, stderr } = await make();
    const config = new KubeConfig();
    config.loadFromString(stdout);
    expect(config.getCurrentContext()).to.equal('prod');
    expect(config.getCurrentCluster()).to.include({
      server: 'https://gateway/clusters/prod',
      caData: Buffer.from('CA').toString('base64'),
    });
    expect(config.getCurrentUser()?.token).to.equal('alices-token');
    expect(stderr).to.match(/^next: .*kubectl --kubeconfig <file> get pods\n$/);
    expect(requests).to.have.members([`Bearer alices-token ${TUNNEL_PATH}`, `Bearer alices-token ${GATEWAY_PATH}`]);
  });

  it('copies an exec stanza as it stands, its path made absolute', async () => {
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: './login', interactiveMode: 'Never' };
    writeFileSync(
      path('login'),
      `#!/bin/sh\necho '${JSON.stringify({ apiVersion: exec.apiVersion, kind: 'ExecCredential', status: { token: 'minted' } })}'\n`,
      { mode: 0o700 },
    );
    writeHub('config', { exec });
    const { users } = parseKubeconfig((await make()).stdout);
    expect(users[0]?.fields['exec']).to.deep.equal({ ...exec, command: path('login') });
    expect(requests[0]).to.match(/^Bearer minted /);
  });

  it('leads to `clustertunnel credential` with --exec, and copies nothing secret', async () => {
    const { stdout } = await make({ exec: true });
    expect(stdout).not.to.contain('alices-token');
    const exec = pluginIn(stdout);
    expect(exec).to.include({ apiVersion: 'client.authentication.k8s.io/v1', command: 'clustertunnel' });
    expect(exec['args']).to.deep.equal(['credential', '--context', 'hub']);
    expect(exec['env']).to.deep.equal([{ name: 'KUBECONFIG', value: path('config') }]);
  });

  it('mints tokens of a service account instead, when told', async () => {
    const { stdout } = await make({ 'service-account': 'ci/deployer' });
    const exec = pluginIn(stdout);
    expect(exec['args']).to.deep.equal(['credential', '--context', 'hub', '--service-account', 'ci/deployer']);
    const error = await failure({ 'service-account': 'deployer' });
    expect(error.message).to.contain('--service-account "deployer"');
    expect(error.remedy).to.contain('ci/deployer');
  });

  it('makes no plugin of a user without a credential', async () => {
    writeHub('config', { username: 'alice', password: 'x' });
    expect((await failure({ exec: true })).why).to.contain('password');
  });

  it('takes a token from stdin instead', async () => {
    const { stdout } = await make({ 'token-file': '-' }, { stdin: 'another\n' });
    expect(parseKubeconfig(stdout).users[0]?.fields['token']).to.equal('another');
    expect(stdout).not.to.contain('alices-token');
  });

  it('merges into the file of the hub: the context names the user that is there', async () => {
    const before = read('config');
    const { stdout, stderr } = await make({ write: true });
    expect(stdout).to.equal('');
    expect(stderr).to.equal(
      `wrote ${path('config')}: cluster "prod" added, context "prod" added, user "alice" used as it is\n` +
        'next: kubectl --context prod get pods\n',
    );
    const { users, contexts, currentContext } = parseKubeconfig(read('config'));
    expect(users.map(({ name }) => name)).to.deep.equal(['alice']);
    expect(contexts.map(({ fields }) => fields['user'])).to.deep.equal(['alice', 'alice']);
    expect(currentContext).to.equal('hub');
    expect(read('config').startsWith(before.slice(0, before.indexOf('}]')))).to.equal(true);
  });

  it('knows the file of the hub behind a symbolic link', async () => {
    symlinkSync('config', path('link'));
    await make({ output: path('link') });
    expect(parseKubeconfig(read('config')).users).to.have.length(1);
  });

  it('merges into another file, twice with the same bytes, and sets the current context when asked to', async () => {
    writeFileSync(path('other'), '# mine\nclusters: [] # none\n');
    const flags = { output: path('other'), 'set-context-name': 'p', use: true };
    const { stderr } = await make(flags);
    expect(stderr).to.contain(`next: kubectl --kubeconfig ${path('other')} --context p get pods`);
    const after = read('other');
    expect(after).to.contain('# mine\nclusters: # none\n');
    const { users, currentContext } = parseKubeconfig(after);
    expect(users).to.have.length(1);
    expect(users[0]).to.deep.include({ name: 'p' });
    expect(currentContext).to.equal('p');
    const again = await make(flags);
    expect(read('other')).to.equal(after);
    expect(again.stderr).to.contain(
      `nothing to change in ${path('other')}: cluster "p" unchanged, context "p" unchanged, user "p" unchanged`,
    );
  });

  it('knows its hub again when a tunnel has become the current context', async () => {
    await make({ write: true, use: true });
    const after = read('config');
    expect(parseKubeconfig(after).currentContext).to.equal('prod');
    await make({ write: true, use: true });
    expect(read('config')).to.equal(after);
  });

  it('writes to the first file of $KUBECONFIG that exists, as kubectl does', async () => {
    const env = { KUBECONFIG: `${path('missing')}:${path('config')}:${path('later')}` };
    writeFileSync(path('later'), 'kind: Config\n');
    await make({ write: true }, { env });
    expect(existsSync(path('missing'))).to.equal(false);
    expect(parseKubeconfig(read('config')).contexts).to.have.length(2);
  });

  it("does not replace somebody else's entry, here or in another file that it would hide, without --force", async () => {
    const foreign = 'contexts:\n- name: prod\n  context: {cluster: mine}\n';
    writeFileSync(path('other'), foreign);
    const error = await failure({ output: path('other') });
    expect(failureText(error)).to.match(
      /^error: .*other has a context "prod" already\n {2}why: .*\n {2}do: {2}.*--set-context-name.*--force\n$/,
    );
    const env = { KUBECONFIG: `${path('config')}:${path('other')}` };
    const before = read('config');
    expect((await failure({ write: true }, { env })).message).to.contain(path('other'));
    expect(read('config')).to.equal(before);
    expect(read('other')).to.equal(foreign);
    await make({ output: path('other'), force: true });
    expect(parseKubeconfig(read('other')).contexts[0]?.fields).to.include({ cluster: 'prod', user: 'prod' });
  });

  it('says where an entry of ours leads that stands in the way', async () => {
    await make({ output: path('other') });
    writeFileSync(path('other'), read('other').replaceAll(hubUrl, 'https://old-hub'));
    expect((await failure({ output: path('other') })).why).to.equal('it leads to tunnel "prod" of https://old-hub');
  });

  it('a dry run writes nothing and shows no secret', async () => {
    const { stdout, stderr } = await make({ output: path('other'), 'dry-run': true, use: true });
    expect(existsSync(path('other'))).to.equal(false);
    expect(stdout).to.contain('server: https://gateway/clusters/prod').and.to.contain('token: REDACTED');
    expect(stdout).not.to.contain('alices-token');
    expect(stdout).to.contain('current-context: prod');
    expect(stderr).to.contain(`would write ${path('other')}: cluster "prod" added`);
    expect((await make({ 'dry-run': true })).stdout).not.to.contain('alices-token');
  });

  it('leaves a file alone that is no kubeconfig', async () => {
    writeFileSync(path('other'), 'kind: Pod\n');
    const error = await failure({ output: path('other') });
    expect(error.message).to.equal(`${path('other')} was left as it is`);
    expect(error.why).to.equal('it is a Pod, not a Config');
    expect(read('other')).to.equal('kind: Pod\n');
  });

  it('a user who may not look at the tunnel gets the URL from the gateway, and is told', async () => {
    answers[TUNNEL_PATH] = FORBIDDEN;
    const { stdout, stderr } = await make();
    expect(parseKubeconfig(stdout).clusters[0]?.fields['server']).to.equal('https://gateway/clusters/prod');
    expect(stderr).to.contain('note: it was not checked that tunnel "prod" exists');
  });

  it('a tunnel that is not Ready is said to be so', async () => {
    const conditions = [{ ...READY, status: 'False', message: 'no agent is connected' }];
    answers[TUNNEL_PATH] = { ...TUNNEL, status: { conditions } };
    expect((await make()).stderr).to.contain('note: tunnel "prod" is not Ready: no agent is connected\n');
  });

  it('a tunnel that does not exist, a gateway that is not known, and a name that is none are errors', async () => {
    answers[TUNNEL_PATH] = 404;
    expect((await failure()).message).to.equal('there is no ClusterTunnel "prod"');
    answers[TUNNEL_PATH] = TUNNEL;
    answers[GATEWAY_PATH] = 404;
    expect((await failure()).why).to.contain('clustertunnel-system/clustertunnel-gateway');
    expect((await failure({ name: '../x' })).message).to.contain('is no name');
  });

  it('a user with a password is told what to do, before anybody is asked', async () => {
    writeHub('config', { username: 'alice', password: 'x' });
    expect((await failure()).why).to.match(/password/);
    expect(requests).to.deep.equal([]);
  });

  it('says where it looked for a kubeconfig', async () => {
    const error = await failure({}, { env: { KUBECONFIG: `${path('a')}:${path('b')}` } });
    expect(error.why).to.equal(`there is none: no ${path('a')}, no ${path('b')}`);
  });
});
