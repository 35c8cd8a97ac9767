import { expect } from 'chai';
import { until } from '../../hack/lab/until.ts';
import { InstalledLab, needControlPlane } from '../support/installed-lab.ts';
import { ask, askToUpgrade, type RawAnswer, type RawRequest } from '../support/raw-answer.ts';

const TEAM_A = 'team-a';
const TEAM_B = 'team-b';
/** As long as the names of those that exist, so that answers have one length. */
const NOWHERE = 'team-x';
const TENANTS = [
  { user: 'alice', own: TEAM_A, other: TEAM_B },
  { user: 'bob', own: TEAM_B, other: TEAM_A },
] as const;

/** What somebody may try at a tunnel, below its URL. */
const TRIES: readonly (readonly [what: string, path: string, request?: Partial<RawRequest>])[] = [
  ['the bare tunnel', ''],
  ['a list', '/api/v1/namespaces/default/pods'],
  ['an object', '/api/v1/namespaces/default/configmaps/kube-root-ca.crt'],
  ['a watch', '/api/v1/namespaces/default/pods?watch=true'],
  ['discovery of the core', '/api'],
  ['discovery of a group', '/apis/apps/v1'],
  [
    'aggregated discovery',
    '/apis',
    { headers: { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' } },
  ],
  ['the version', '/version'],
  ['a path that no API server has', '/nonsense'],
  ['a delete', '/api/v1/namespaces/default/configmaps/a', { method: 'DELETE' }],
  ['a write without a body', '/api/v1/namespaces/default/configmaps', { method: 'POST' }],
  ['a log', '/api/v1/namespaces/default/pods/a/log?follow=true'],
  ['impersonation of the owner', '/api/v1/namespaces/default/pods', { headers: { 'impersonate-user': 'lab-admin' } }],
  ['HEAD', '/api/v1/namespaces/default/pods', { method: 'HEAD' }],
  ['OPTIONS', '/api/v1/namespaces/default/pods', { method: 'OPTIONS' }],
];

const UPGRADES: readonly (readonly [what: string, path: string, request?: Partial<RawRequest>])[] = [
  ['exec over SPDY', '/api/v1/namespaces/default/pods/a/exec?command=ls&stdout=true'],
  [
    'exec over WebSocket',
    '/api/v1/namespaces/default/pods/a/exec?command=ls&stdout=true',
    {
      method: 'GET',
      headers: {
        Upgrade: 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
        'Sec-WebSocket-Protocol': 'v5.channel.k8s.io',
      },
    },
  ],
  ['port-forward', '/api/v1/namespaces/default/pods/a/portforward?ports=80'],
  ['a pod proxy', '/api/v1/namespaces/default/pods/a/proxy/', { method: 'GET' }],
];

interface ClusterItem {
  readonly name: string;
  readonly endpoint: string;
  readonly connected: boolean;
  readonly suspended: boolean;
}

let lab: InstalledLab;
let strangersToken = '';

describe('two tenants and their tunnels', () => {
  before(async function () {
    needControlPlane(this);
    lab = await InstalledLab.start({ targets: 0 });
    await lab.apply(...[TEAM_A, TEAM_B].map(localTunnel), ...TENANTS.flatMap(({ user, own }) => rightsOn(user, own)));
    await lab.hub(['create', 'clusterrolebinding', 'admins', '--clusterrole=clustertunnel-user', '--group=lab:admins']);
    await lab.hub(['-n', 'default', 'create', 'serviceaccount', 'stranger']);
    strangersToken = (await lab.hub(['-n', 'default', 'create', 'token', 'stranger'])).stdout.trim();
    await Promise.all([lab.waitReady(TEAM_A), lab.waitReady(TEAM_B)]);
  });

  after(async () => {
    await lab?.stop();
  });

  for (const { user, own, other } of TENANTS) {
    describe(`${user}, who may use ${own}`, () => {
      const token = () => lab.lab.users[user].token;
      const at = (tunnel: string, path: string, request: Partial<RawRequest> = {}) =>
        ask({ ...base(`/clusters/${tunnel}${path}`, token()), ...request });

      it('uses it, by his own name', async () => {
        const { stdout } = await lab.through(own, user, ['auth', 'whoami', '-o', 'json']);
        expect(JSON.parse(stdout).status.userInfo.username).to.equal(user);
        expect((await at(own, '/apis/apps/v1')).status).to.equal(200);
        const refused = await at(own, '/api/v1/secrets');
        expect(refused.status).to.equal(403);
        expect(refused.body).to.contain(`secrets is forbidden: User \\"${user}\\" cannot list`);
      });

      for (const [what, path, request] of TRIES) {
        it(`${what}: ${other} looks to him like a tunnel that does not exist`, async () => {
          const there = await at(other, path, traced(request));
          const nowhere = await at(NOWHERE, path, traced(request));
          expect(there.status).to.equal(403);
          expect(unnamed(there, other)).to.deep.equal(unnamed(nowhere, NOWHERE));
        });
      }

      for (const [what, path, request] of UPGRADES) {
        it(`${what}: ${other} looks to him like a tunnel that does not exist`, async () => {
          const upgrade = (tunnel: string) =>
            askToUpgrade({ ...base(`/clusters/${tunnel}${path}`, token()), ...traced(request) });
          const [there, nowhere] = await Promise.all([upgrade(other), upgrade(NOWHERE)]);
          expect(there.status).to.equal(403);
          expect(unnamed(there, other)).to.deep.equal(unnamed(nowhere, NOWHERE));
        });
      }

      it('exec at his own tunnel is answered by the target', async () => {
        const path = '/api/v1/namespaces/default/pods/a/exec?command=ls&stdout=true';
        const answer = await askToUpgrade(base(`/clusters/${own}${path}`, token()));
        expect(answer.status).to.equal(403);
        expect(answer.body).to.contain(
          `pods \\"a\\" is forbidden: User \\"${user}\\" cannot create resource \\"pods/exec\\"`,
        );
      });

      for (const args of [
        ['get', 'pods'],
        ['get', 'pods', '--watch'],
        ['api-resources'],
        ['exec', 'a', '--', 'ls'],
        ['version'],
      ]) {
        it(`kubectl ${args.join(' ')} says the same of ${other} and of none`, async () => {
          const said = async (tunnel: string) => {
            const { exitCode, stdout, stderr } = await lab.through(tunnel, user, args, { mayFail: true });
            return { exitCode, stdout, stderr: untraced(stderr).replaceAll(tunnel, '<tunnel>') };
          };
          const there = await said(other);
          expect(there).to.deep.equal(await said(NOWHERE));
          expect(there.exitCode).to.equal(1);
          expect(there.stderr).to.match(/forbidden/i);
        });
      }

      it('GET /clusters lists his own and nothing else', async () => {
        expect(await clustersOf(token())).to.deep.equal([item(own)]);
      });
    });
  }

  // Suites in a suite run after its own tests: this one must be the last.
  describe('the list of clusters, and rights that end', () => {
    it('GET /clusters: a user without rights sees none, the administrator all, a stranger to the hub nothing', async () => {
      expect(await clustersOf(strangersToken)).to.deep.equal([]);
      expect(await clustersOf(lab.lab.users['lab-admin'].token)).to.deep.equal([item(TEAM_A), item(TEAM_B)]);
      expect((await ask(base('/clusters', 'nobody'))).status).to.equal(401);
      expect((await ask(base('/clusters', undefined))).status).to.equal(401);
    });

    it('a right that is taken away ends with the next decision', async () => {
      const { token } = lab.lab.users.bob;
      const bound = await ask(base(`/clusters/${TEAM_B}/apis`, token));
      expect(bound.status).to.equal(200);
      await lab.hub(['delete', 'clusterrolebinding', `bob-${TEAM_B}`]);
      await until('the refusal', async () => {
        const { status } = await ask(base(`/clusters/${TEAM_B}/apis`, token));
        return status === 403 ? true : undefined;
      });
      await until('the empty list', async () => ((await clustersOf(token)).length === 0 ? true : undefined));
    });
  });
});

function base(path: string, token: string | undefined): RawRequest {
  return { url: `${lab.lab.gatewayUrl}${path}`, caPem: lab.gatewayCa, token };
}

/** The same trace id in every answer, so that answers can be compared whole. */
function traced(request: Partial<RawRequest> = {}): Partial<RawRequest> {
  return { ...request, headers: { ...request.headers, 'X-Trace-ID': 'tenants-test' } };
}

/** What kubectl says without trace ids and without the times and process ids of its log lines. */
function untraced(text: string): string {
  return text.replaceAll(/\(trace [^)]*\)/g, '(trace …)').replaceAll(/^[EWI]\d{4} [\d:.]+ +\d+ /gm, '');
}

/** The answer with the tunnel's name hidden: all else must be the same, but for the hop's own span. */
function unnamed({ status, headers: { traceparent: _, ...headers }, body }: RawAnswer, tunnel: string) {
  return JSON.parse(JSON.stringify({ status, headers, body }).replaceAll(tunnel, '<tunnel>'));
}

async function clustersOf(token: string): Promise<ClusterItem[]> {
  const { status, headers, body } = await ask(base('/clusters', token));
  expect(status, body).to.equal(200);
  expect(headers['content-type']).to.contain('application/json');
  const list = JSON.parse(body) as { kind: string; items: ClusterItem[] };
  expect(list.kind).to.equal('ClusterList');
  return list.items;
}

function item(name: string): ClusterItem {
  return { name, endpoint: `${lab.lab.gatewayUrl}/clusters/${name}`, connected: true, suspended: false };
}

function localTunnel(name: string): object {
  return {
    apiVersion: 'clustertunnel.io/v1alpha1',
    kind: 'ClusterTunnel',
    metadata: { name },
    spec: { agent: { replicas: 1 } },
  };
}

/** All of one tunnel for one user, as config/rbac/user_cluster_role.yaml tells. */
function rightsOn(user: string, tunnel: string): object[] {
  const apiVersion = 'rbac.authorization.k8s.io/v1';
  const name = `${user}-${tunnel}`;
  const apiGroup = 'rbac.authorization.k8s.io';
  const rule = {
    apiGroups: ['clustertunnel.io'],
    resources: ['clustertunnels/proxy'],
    resourceNames: [tunnel],
    verbs: ['*'],
  };
  return [
    { apiVersion, kind: 'ClusterRole', metadata: { name }, rules: [rule] },
    {
      apiVersion,
      kind: 'ClusterRoleBinding',
      metadata: { name },
      roleRef: { apiGroup, kind: 'ClusterRole', name },
      subjects: [{ apiGroup, kind: 'User', name: user }],
    },
  ];
}
