import { expect } from 'chai';
import fc from 'fast-check';
import { UNSAID_ACCESS } from '../../crds/access-settings.ts';
import { PROTOCOLS, SETTINGS, whole } from '../support/gateway-fixture.ts';
import { valuesOf } from '../support/stub-upstream.ts';
import { until } from '../support/turns.ts';
import { expectAlice, expectHarmless, type Hostile, HUB_TOKEN, head, knowAlice, PODS, upgrade } from './hostile.ts';
import { identityIn, WholePath } from './whole-path.ts';

const base64url = (text: string) => Buffer.from(text).toString('base64url');
const BEARER_PROTOCOL = `base64url.bearer.authorization.k8s.io.${base64url(HUB_TOKEN)}`;

/**
 * The inputs by which systems of this kind lost their callers' identity. Numbers: research on incidents, I1 to I15.
 * I2 is I1 in another project, I4 its reproduction; I8, I9 and I10 have tables of their own below; I12 is
 * test/tunnel/request-info.test.ts; I13's other half, at the agents' door, test/operator/gateway/sessions/hub.test.ts.
 */
const HOSTILE: Readonly<Record<string, readonly Hostile[]>> = {
  'I1, I2, I4 (Rancher CVE-2021-31999, capsule-proxy CVE-2022-23652): Connection names identity': [
    ...['impersonate-user', 'Impersonate-Group', 'IMPERSONATE-UID', 'impersonate-extra-x', 'authorization', 'host'],
    ...['x-remote-user', 'x-remote-extra-a', 'x-forwarded-for', 'x-clustertunnel-user', 'cookie'],
  ].flatMap((name) => [
    { what: `as ${name}`, bytes: head(PODS, [`Connection: ${name}`]), answers: [400], arriving: 0 },
    {
      what: `as ${name}, behind others`,
      bytes: head(PODS, [`connection: te,, ${name} `]),
      answers: [400],
      arriving: 0,
    },
    { what: `as ${name}, to Proxy`, bytes: head(PODS, [`Proxy-Connection: ${name}`]), answers: [400], arriving: 0 },
    { what: `as ${name}, in an upgrade`, bytes: upgrade([`Connection: ${name}`]), answers: [400], arriving: 0 },
  ]),
  'I3 (Apache CVE-2022-31813, Fabio CVE-2025-48865): forwarding headers, told or dropped': [
    {
      what: 'X-Forwarded-* and our own',
      bytes: head(PODS, ['X-Forwarded-User: root', 'Forwarded: for=127.0.0.1', 'X-ClusterTunnel-User: root']),
      answers: [200],
      arriving: 1,
    },
    {
      what: 'Connection that names what is harmless',
      bytes: head(PODS, ['Connection: x-a, accept', 'X-A: 1']),
      answers: [200],
      arriving: 1,
    },
  ],
  'I5, I6 (Rancher CVE-2021-36776, OCM cluster-proxy): the client brings identity headers': [
    'Impersonate-User: root',
    'impersonate-user: root',
    'Impersonate-Group: system:masters',
    'IMPERSONATE-GROUP: dev\r\nImpersonate-Group: system:masters',
    'Impersonate-Uid: 0',
    'Impersonate-Extra-scopes: all',
    'Impersonate-Something-New: root',
  ].flatMap((line) => [
    { what: line, bytes: head(PODS, [line]), answers: [403], arriving: 0 },
    { what: `${line}, in an upgrade`, bytes: upgrade([line]), answers: [403], arriving: 0 },
  ]),
  'I7 (oauth2-proxy CVE-2025-64484): names with _': [
    { what: 'Impersonate_User', bytes: head(PODS, ['Impersonate_User: root']), answers: [403], arriving: 0 },
    {
      what: 'X_Remote_User and X_Forwarded_User',
      bytes: head(PODS, ['X_Remote_User: root', 'X_Forwarded_User: root', 'X_Remote-Group: system:masters']),
      answers: [200],
      arriving: 1,
    },
  ],
  'I13 (Rancher CVE-2019-13209): a page of another origin speaks': [
    { what: 'in a request', bytes: head(PODS, ['Origin: https://evil.example']), answers: [403], arriving: 0 },
    { what: 'of a sandbox', bytes: head(PODS, ['Origin: null']), answers: [403], arriving: 0 },
    { what: 'in an upgrade', bytes: upgrade(['Origin: https://evil.example']), answers: [403], arriving: 0 },
    { what: 'over plain HTTP', bytes: upgrade(['Origin: http://gateway']), answers: [403], arriving: 0 },
    {
      what: 'twice',
      bytes: head(PODS, ['Origin: https://gateway', 'Origin: https://evil']),
      answers: [400],
      arriving: 0,
    },
    {
      what: 'that is ours: some clients always say it',
      bytes: upgrade(['Origin: https://gateway']),
      answers: [101],
      arriving: 1,
    },
  ],
  'I14 (the token among WebSocket subprotocols): it never leaves the gateway': [
    {
      what: 'first',
      bytes: upgrade([`Sec-WebSocket-Protocol: ${BEARER_PROTOCOL}, v5.channel.k8s.io`]),
      answers: [101],
      arriving: 1,
    },
    {
      what: 'last, in capitals',
      bytes: upgrade([`SEC-WEBSOCKET-PROTOCOL: v5,\t${BEARER_PROTOCOL.replace('base64url', 'BASE64URL')}`]),
      answers: [101],
      arriving: 1,
    },
    {
      what: 'in a line of its own',
      bytes: upgrade(['Sec-WebSocket-Protocol: v5', `Sec-WebSocket-Protocol: ${BEARER_PROTOCOL}`]),
      answers: [101],
      arriving: 1,
    },
    {
      what: 'and it is no way to log in',
      bytes: upgrade([`Sec-WebSocket-Protocol: ${BEARER_PROTOCOL}, v5`]).replace(/Authorization: .*\r\n/, ''),
      answers: [401],
      arriving: 0,
    },
    {
      what: 'nor are cookies and Proxy-Authorization passed on',
      bytes: head(PODS, [`Cookie: token=${HUB_TOKEN}`, `Proxy-Authorization: Bearer ${HUB_TOKEN}`]),
      answers: [200],
      arriving: 1,
    },
  ],
};

describe('tunnel-path/hostile-identity', function () {
  this.timeout(60_000);
  let path: WholePath;

  beforeEach(async () => {
    path = await WholePath.start();
    knowAlice(path);
  });
  afterEach(() => path.stop());

  for (const [number, table] of Object.entries(HOSTILE)) {
    describe(number, () => {
      for (const entry of table) {
        it(`${entry.what}: ${entry.answers.join(', ') || 'cut'}`, () => expectHarmless(path, entry));
      }
    });
  }

  describe('by the fallback, while the tunnel is away', () => {
    beforeEach(async () => {
      const { gateway, upstream } = path;
      const { url: server, ca: caPem } = upstream;
      const nothing = { tlsServerName: undefined, certificatePem: undefined, keyPem: undefined };
      // Then all that arrives is told in the same words as through the tunnel.
      gateway.kubeconfigs.set('prod/kubeconfig', { server, caPem, token: 'agent-token', ...nothing });
      gateway.addTunnel('c1', { fallback: { name: 'prod', key: 'kubeconfig' } });
      path.sever();
      await until(() => gateway.counts.sessions === 0);
      gateway.clock.advance(SETTINGS.timeouts.disconnectGraceMs);
    });

    for (const entry of Object.values(HOSTILE).flat()) {
      it(`${entry.what}: ${entry.answers.join(', ') || 'cut'}`, () => expectHarmless(path, entry));
    }
  });

  it('I3: whatever Connection says, the target sees alice or nothing', async () => {
    const names = ['impersonate-user', 'authorization', 'x-a', 'close', 'accept', 'Impersonate-Group', 'te', '', ' '];
    const client = path.gateway.client('http/1.1');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...names), { maxLength: 4 }), async (tokens) => {
        const headers = { connection: tokens.join(','), 'x-a': '1' };
        const before = path.upstream.received.length;
        const { status } = await whole(client, { path: PODS, token: HUB_TOKEN, headers });
        const isRefused = tokens.some((token) => /^(impersonate-|authorization)/i.test(token));
        expect(status).to.equal(isRefused ? 400 : 200);
        expect(path.upstream.received.length - before).to.equal(isRefused ? 0 : 1);
      }),
      { numRuns: 50 },
    );
    expectAlice(path, path.upstream.received.length);
  });

  describe('I8 (capsule-proxy CVE-2023-48312): what TokenReview may answer', () => {
    const user = { username: 'alice' };
    const ANSWERS: readonly [string, () => Promise<unknown>, number][] = [
      ['nothing', async () => ({}), 401],
      ['authenticated: false beside a user', async () => ({ authenticated: false, user }), 401],
      ['a user alone', async () => ({ user }), 401],
      ['an error beside a user', async () => ({ authenticated: true, error: 'expired', user }), 401],
      ['a user without a name', async () => ({ authenticated: true, user: { username: '' } }), 401],
      ['HTTP 500', () => Promise.reject(new Error('HTTP 500')), 503],
    ];
    for (const [what, answer, status] of ANSWERS) {
      it(`${what}: ${status}`, async () => {
        path.gateway.reviewToken = answer;
        const told = await whole(path.gateway.client('h2'), { path: PODS, token: HUB_TOKEN });
        expect(told.status).to.equal(status);
        expectAlice(path, 0);
      });
    }

    it('nothing at all, for 5 s: 503', async () => {
      path.gateway.reviewToken = () => new Promise(() => {});
      const told = whole(path.gateway.client('http/1.1'), { path: PODS, token: HUB_TOKEN });
      while (path.gateway.reviewed.tokens.length === 0) await new Promise(setImmediate);
      await path.gateway.pass(5_000);
      expect((await told).status).to.equal(503);
      expectAlice(path, 0);
    });
  });

  describe('I9, I10: who somebody of the hub is at the target', () => {
    /** The tunnel names these extras, at both ends. */
    const name = async (extras: readonly string[]) => {
      const settings = { ...SETTINGS, generation: 2, access: { ...UNSAID_ACCESS, extras } };
      path.gateway.addTunnel('c1', { settings });
      path.gateway.gateway.tunnelChanged('c1');
      await until(() => path.agent.limits.current.generation === 2);
    };
    const arrives = async (user: object) => {
      path.gateway.reviewToken = async () => ({ authenticated: true, user });
      const { status } = await whole(path.gateway.client('h2'), { path: PODS, token: HUB_TOKEN });
      return { status, identity: path.upstream.received.flatMap(({ rawHeaders }) => identityIn(rawHeaders)).slice(2) };
    };

    it('I9: a service account of the hub is not the one of that name at the target', async () => {
      const username = 'system:serviceaccount:kube-system:replicaset-controller';
      const groups = ['system:serviceaccounts', 'system:serviceaccounts:kube-system', 'system:authenticated'];
      expect(await arrives({ username, groups })).to.deep.equal({
        status: 200,
        identity: [
          ...['Impersonate-User', 'clustertunnel:hub:kube-system:replicaset-controller'],
          ...['Impersonate-Group', 'system:authenticated'],
        ],
      });
    });

    it('I9: system:masters stays at the hub', async () => {
      expect(await arrives({ username: 'jane', groups: ['system:masters', 'ops'] })).to.deep.equal({
        status: 200,
        identity: ['Impersonate-User', 'jane', 'Impersonate-Group', 'ops'],
      });
    });

    for (const username of [
      ...['system:admin', 'system:node:n1', 'system:kube-scheduler', 'system:anonymous', 'clustertunnel:controller'],
      ...[
        'system:serviceaccount:a',
        'system:serviceaccount:a:b:c',
        'jane\r\nImpersonate-Group: system:masters',
        'jürgen',
      ],
    ]) {
      it(`I9: ${JSON.stringify(username)} does not pass`, async () => {
        expect(await arrives({ username, groups: [] })).to.deep.equal({ status: 403, identity: [] });
      });
    }

    const RESERVED = {
      'authentication.kubernetes.io/credential-id': ['JTI=1'],
      'Authentication.Kubernetes.IO/pod-name': ['web'],
      'authentication.kubernetes.io%2fnode-name': ['n1'],
      'policies.k8s.io/x': ['y'],
      'a\r\nImpersonate-Group: system:masters\r\nx': ['y'],
    };

    it('I10: extras stay at the hub, reserved ones too', async () => {
      const extra = { ...RESERVED, scopes: ['all'] };
      expect(await arrives({ username: 'jane', extra })).to.deep.equal({
        status: 200,
        identity: ['Impersonate-User', 'jane'],
      });
    });

    it('I10: reserved extras stay at the hub though an old tunnel names them; others that it names arrive', async () => {
      await name([...Object.keys(RESERVED), 'scopes']);
      expect(await arrives({ username: 'jane', extra: { ...RESERVED, scopes: ['all'], more: ['x'] } })).to.deep.equal({
        status: 200,
        identity: ['Impersonate-User', 'jane', 'Impersonate-Extra-scopes', 'all'],
      });
    });

    for (const value of ['all\r\nImpersonate-Group: system:masters', 'all\0', ' all', 'größe', '']) {
      it(`I10: an extra with the value ${JSON.stringify(value)} does not pass, nor who has it`, async () => {
        await name(['scopes']);
        const refused = { status: 403, identity: [] };
        expect(await arrives({ username: 'jane', extra: { scopes: [value] } })).to.deep.equal(refused);
      });
    }

    it('I10: extras that a client brings without the right to them never arrive', async () => {
      await name([...Object.keys(RESERVED), 'scopes']);
      const lines = ['Impersonate-User: jane', 'Impersonate-Extra-scopes: all'];
      await expectHarmless(path, { what: '', bytes: head(PODS, lines), answers: [403], arriving: 0 });
      const alone = { what: '', bytes: upgrade(['Impersonate-Extra-scopes: all']), answers: [403], arriving: 0 };
      await expectHarmless(path, alone);
    });
  });

  it('I11 (kubernetes#134577): a WebSocket exec is a GET, and who may only get is refused', async () => {
    path.gateway.reviewAccess = async (_, __, verb) => ({ allowed: verb === 'get' });
    await expectHarmless(path, { what: '', bytes: upgrade([]), answers: [403], arriving: 0 });
    for (const protocol of PROTOCOLS) {
      const { status } = await whole(path.gateway.client(protocol), { path: `${PODS}/web`, token: HUB_TOKEN });
      expect(status).to.equal(200);
    }
  });

  it('I11: an Upgrade that Connection does not name is no upgrade at the target either', async () => {
    const bytes = head(`${PODS}/web/exec?command=sh`, ['Upgrade: websocket']);
    await expectHarmless(path, { what: '', bytes, answers: [200], arriving: 1 });
    expect(valuesOf(path.upstream.last.rawHeaders, 'upgrade')).to.deep.equal([]);
  });

  it('I15 (CVE-2025-11393): the agent lends its credential to nobody, even if the gateway asks', async () => {
    // Whoever is not refused here has an identity: an OPEN without one is test/upstream/forward.test.ts.
    path.gateway.reviewToken = async () => ({ authenticated: true, user: { username: ' ' } });
    const { status } = await whole(path.gateway.client('h2'), { path: PODS, token: HUB_TOKEN });
    expect(status).to.equal(403);
    expectAlice(path, 0);
  });
});
