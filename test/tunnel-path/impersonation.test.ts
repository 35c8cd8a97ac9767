import { expect } from 'chai';
import { UNSAID_ACCESS } from '../../crds/access-settings.ts';
import { PROTOCOLS, SETTINGS, whole } from '../support/gateway-fixture.ts';
import { until } from '../support/turns.ts';
import { ALICE, identityIn, WholePath } from './whole-path.ts';

const PODS = '/clusters/c1/api/v1/namespaces/default/pods';

const withExtras = (generation: number, extras: readonly string[]) => {
  return { ...SETTINGS, generation, access: { ...UNSAID_ACCESS, extras } };
};

describe('tunnel-path/impersonation', function () {
  this.timeout(60_000);
  let path: WholePath;
  /** What alice may impersonate; everybody but mallory may use the tunnel. */
  let granted: readonly string[];

  beforeEach(async () => {
    path = await WholePath.start();
    granted = ['jane', 'dev', 'bot'];
    path.gateway.reviewAccess = async (user, name, verb) => {
      if (verb === 'impersonate') return { allowed: user === 'alice' && granted.includes(name) };
      return { allowed: user !== 'mallory' };
    };
  });
  afterEach(() => path.stop());

  const ask = async (headers: Record<string, string | string[]>, url = PODS) => {
    const { status, text } = await whole(path.gateway.client('h2'), { path: url, headers });
    return {
      status,
      text,
      arrived: path.upstream.received.flatMap(({ rawHeaders }) => identityIn(rawHeaders)).slice(2),
    };
  };

  for (const protocol of PROTOCOLS) {
    it(`over ${protocol}: who may impersonate arrives as the other, who needs the right on the tunnel`, async () => {
      const headers = { 'Impersonate-User': 'jane', 'Impersonate-Group': ['dev'] };
      const { status } = await whole(path.gateway.client(protocol), { path: PODS, headers });
      expect(status).to.equal(200);
      expect(identityIn(path.upstream.last.rawHeaders).slice(2)).to.deep.equal([
        ...['Impersonate-User', 'jane', 'Impersonate-Group', 'dev', 'Impersonate-Group', 'system:authenticated'],
      ]);
      expect(path.gateway.reviewed.access).to.deep.equal([
        { user: 'alice', name: 'jane', verb: 'impersonate' },
        { user: 'alice', name: 'dev', verb: 'impersonate' },
        { user: 'jane', name: 'c1', verb: 'list' },
      ]);
    });
  }

  it('403 in the words of the API server when any part is not granted', async () => {
    const { status, text, arrived } = await ask({ 'Impersonate-User': 'jane', 'Impersonate-Group': ['dev', 'ops'] });
    expect({ status, arrived }).to.deep.equal({ status: 403, arrived: [] });
    expect(JSON.parse(text).message).to.match(
      /^groups "ops" is forbidden: User "alice" cannot impersonate resource "groups"/,
    );
  });

  it('403 when the other has no right on the tunnel', async () => {
    granted = ['mallory'];
    const { status, text, arrived } = await ask({ 'Impersonate-User': 'mallory' });
    expect({ status, arrived }).to.deep.equal({ status: 403, arrived: [] });
    expect(text).to.include('User \\"mallory\\" cannot list');
  });

  it('503 when the hub cannot say', async () => {
    path.gateway.reviewAccess = () => Promise.reject(new Error('HTTP 500'));
    expect(await ask({ 'Impersonate-User': 'jane' })).to.include({ status: 503 });
  });

  it('reserved names stay refused, or stay at the hub, whatever is granted', async () => {
    granted = ['system:admin', 'jane', 'system:masters', 'clustertunnel:controller'];
    for (const user of ['system:admin', 'clustertunnel:controller']) {
      expect(await ask({ 'Impersonate-User': user })).to.deep.include({ status: 403, arrived: [] });
    }
    const { status, arrived } = await ask({ 'Impersonate-User': 'jane', 'Impersonate-Group': 'system:masters' });
    expect(status).to.equal(200);
    expect(arrived).to.deep.equal(['Impersonate-User', 'jane', 'Impersonate-Group', 'system:authenticated']);
  });

  it('a service account of the hub is one of the hub at the target', async () => {
    const { arrived } = await ask({ 'Impersonate-User': 'system:serviceaccount:ci:bot' });
    expect(arrived.slice(0, 2)).to.deep.equal(['Impersonate-User', 'clustertunnel:hub:ci:bot']);
  });

  it('extras need a right of their own at the hub, and arrive if the tunnel names them', async () => {
    path.gateway.addTunnel('c1', { settings: withExtras(2, ['example.com/scopes']) });
    path.gateway.gateway.tunnelChanged('c1');
    await until(() => path.agent.limits.current.generation === 2);
    const headers = {
      'Impersonate-User': 'jane',
      'Impersonate-Extra-Example.com%2Fscopes': ['read', 'write'],
      'Impersonate-Extra-team': 'x',
    };
    granted = ['jane', 'read', 'write', 'x'];
    const refused = await ask({ ...headers, 'Impersonate-Extra-Example.com%2Fscopes': ['read', 'admin'] });
    expect({ status: refused.status, arrived: refused.arrived }).to.deep.equal({ status: 403, arrived: [] });
    expect(JSON.parse(refused.text).message).to.match(
      /^userextras.authentication.k8s.io "admin" is forbidden: .* resource "userextras\/example.com\/scopes"/,
    );
    expect((await ask(headers)).arrived).to.deep.equal([
      ...['Impersonate-User', 'jane', 'Impersonate-Group', 'system:authenticated'],
      ...['Impersonate-Extra-example.com%2Fscopes', 'read', 'Impersonate-Extra-example.com%2Fscopes', 'write'],
    ]);
  });

  it('upgrades too', async () => {
    const client = await path.upgrade({ lines: ['Impersonate-User: jane'] });
    expect(client.head).to.match(/^HTTP\/1\.1 101 /);
    const { rawHeaders } = await path.upstream.upgraded();
    expect(identityIn(rawHeaders).slice(2, 4)).to.deep.equal(['Impersonate-User', 'jane']);
    client.reset();
  });

  it('GET /clusters lists those of the other', async () => {
    expect((await ask({ 'Impersonate-User': 'jane' }, '/clusters')).status).to.equal(200);
    expect(path.gateway.reviewed.access.at(-1)).to.include({ user: 'jane' });
    expect((await ask({ 'Impersonate-User': 'root' }, '/clusters')).status).to.equal(403);
  });

  it('asks no more of who does not impersonate', async () => {
    await ask({});
    expect(identityIn(path.upstream.last.rawHeaders)).to.deep.equal(ALICE);
    expect(path.gateway.reviewed.access.map(({ verb }) => verb)).to.deep.equal(['list']);
  });
});
