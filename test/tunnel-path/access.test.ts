import { expect } from 'chai';
import { type AccessSettings, UNSAID_ACCESS } from '../../crds/access-settings.ts';
import { SETTINGS, whole } from '../support/gateway-fixture.ts';
import { until } from '../support/turns.ts';
import { identityIn, WholePath } from './whole-path.ts';

const PODS = '/clusters/c1/api/v1/namespaces/default/pods';

describe('tunnel-path/access', function () {
  this.timeout(60_000);
  let path: WholePath;
  let generation: number;

  beforeEach(async () => {
    path = await WholePath.start();
    generation = 1;
  });
  afterEach(() => path.stop());

  /** The spec changes, and what the gateway and the agent know of it. */
  const set = async (gateway: Partial<AccessSettings>, agent: Partial<AccessSettings> = gateway) => {
    const settings = (access: Partial<AccessSettings>) => {
      generation += 1;
      return { ...SETTINGS, generation, access: { ...UNSAID_ACCESS, ...access } };
    };
    path.gateway.addTunnel('c1', { settings: settings(agent) });
    path.gateway.gateway.tunnelChanged('c1');
    await until(() => path.agent.limits.current.generation === generation);
    path.gateway.addTunnel('c1', { settings: settings(gateway) });
  };
  const ask = async (method: string, url: string) => {
    const before = path.upstream.received.length;
    const { status, text } = await whole(path.gateway.client('http/1.1'), { method, path: url });
    const arrived = path.upstream.received.slice(before).map(({ rawHeaders }) => identityIn(rawHeaders));
    return { status, text, arrived };
  };

  it('readOnly: the gateway lets reading in, and says why nothing else', async () => {
    await set({ readOnly: true });
    expect((await ask('GET', PODS)).status).to.equal(200);
    const { status, text, arrived } = await ask('DELETE', `${PODS}/web`);
    expect({ status, arrived }).to.deep.equal({ status: 403, arrived: [] });
    for (const part of ['"c1"', 'alice', 'delete pods', 'spec.access.readOnly'])
      expect(text).to.include(part.replaceAll('"', '\\"'));
    const upgrade = await path.upgrade();
    expect(upgrade.head).to.match(/^HTTP\/1\.1 403 /);
    upgrade.reset();
  });

  it('readOnly: the agent does not rely on the gateway', async () => {
    await set({}, { readOnly: true });
    expect((await ask('GET', PODS)).status).to.equal(200);
    const { status, text, arrived } = await ask('DELETE', `${PODS}/web`);
    expect({ status, arrived }).to.deep.equal({ status: 403, arrived: [] });
    expect(text).to.include('policy_denied');
    const upgrade = await path.upgrade();
    expect(upgrade.head).to.match(/^HTTP\/1\.1 403 /);
    upgrade.reset();
    expect(path.upstream.upgrades).to.deep.equal([]);
  });

  it('mode Agent: who was authorised at the hub acts as the agent, and brings no name', async () => {
    await set({ mode: 'Agent' });
    const { status, arrived } = await ask('GET', PODS);
    expect({ status, arrived }).to.deep.equal({ status: 200, arrived: [['Authorization', 'Bearer agent-token']] });
    const { status: ofMallory } = await whole(path.gateway.client('h2'), { path: PODS, token: 'mallory' });
    expect(ofMallory).to.equal(403);
  });

  for (const [gateway, agent] of [
    ['Agent', 'Impersonate'],
    ['Impersonate', 'Agent'],
  ] as const) {
    it(`mode: the gateway says ${gateway} and the agent knows ${agent}: nothing arrives`, async () => {
      await set({ mode: gateway }, { mode: agent });
      const { status, text, arrived } = await ask('GET', PODS);
      expect({ status, arrived }).to.deep.equal({ status: 403, arrived: [] });
      expect(text).to.include('policy_denied');
    });
  }

  it('impersonate: others than those named are refused or left out, and the agent does not rely on the gateway', async () => {
    await set({ groups: ['ops'] });
    const { arrived } = await ask('GET', PODS);
    expect(arrived[0]?.slice(6)).to.deep.equal(['Impersonate-Group', 'system:authenticated']);
    await set({ users: ['jane'] });
    expect(await ask('GET', PODS)).to.deep.include({ status: 403, arrived: [] });
    for (const agent of [{ users: ['jane'] }, { groups: ['ops'] }]) {
      await set({}, agent);
      const { status, text, arrived: none } = await ask('GET', PODS);
      expect({ status, none }).to.deep.equal({ status: 403, none: [] });
      expect(text).to.include('policy_denied');
    }
  });

  it('extras: those that are named arrive, and the agent does not rely on the gateway', async () => {
    const extra = { 'example.com/scopes': ['read', 'write'], team: ['x'] };
    path.gateway.reviewToken = async () => ({ authenticated: true, user: { username: 'jane', extra } });
    await set({ extras: ['example.com/scopes'] });
    const scopes = (value: string) => ['Impersonate-Extra-example.com%2Fscopes', value];
    const { status, arrived } = await ask('GET', PODS);
    expect({ status, arrived: arrived[0]?.slice(2) }).to.deep.equal({
      status: 200,
      arrived: ['Impersonate-User', 'jane', ...scopes('read'), ...scopes('write')],
    });
    const upgrade = await path.upgrade();
    expect(upgrade.head).to.match(/^HTTP\/1\.1 101 /);
    const { rawHeaders } = await path.upstream.upgraded();
    expect(identityIn(rawHeaders).slice(4)).to.deep.equal([...scopes('read'), ...scopes('write')]);
    upgrade.reset();
    await set({ extras: ['team', 'example.com/scopes'] }, { extras: ['example.com/scopes'] });
    const refused = await ask('GET', PODS);
    expect(refused).to.deep.include({ status: 403, arrived: [] });
    expect(refused.text).to.include('policy_denied');
  });

  it('extras: a named one that cannot be sent is refused, one that is not named does not matter', async () => {
    const extra = { team: ['größe'] };
    path.gateway.reviewToken = async () => ({ authenticated: true, user: { username: 'jane', extra } });
    expect((await ask('GET', PODS)).status).to.equal(200);
    await set({ extras: ['team'] });
    const { status, text, arrived } = await ask('GET', PODS);
    expect({ status, arrived }).to.deep.equal({ status: 403, arrived: [] });
    expect(text).to.include('extra \\"team\\"');
  });

  it('mode Agent: no extras either', async () => {
    const extra = { team: ['x'] };
    path.gateway.reviewToken = async () => ({ authenticated: true, user: { username: 'jane', extra } });
    await set({ mode: 'Agent', extras: ['team'] });
    const { status, arrived } = await ask('GET', PODS);
    expect({ status, arrived }).to.deep.equal({ status: 200, arrived: [['Authorization', 'Bearer agent-token']] });
  });

  it('prefixes stand before the hub’s names, and not before what is ours to say', async () => {
    await set({ userPrefix: 'hub:', groupPrefix: 'hub/' });
    const { arrived } = await ask('GET', PODS);
    expect(arrived[0]).to.deep.equal([
      ...['Authorization', 'Bearer agent-token', 'Impersonate-User', 'hub:alice', 'Impersonate-Uid', 'u-1'],
      ...['Impersonate-Group', 'hub/dev', 'Impersonate-Group', 'system:authenticated'],
    ]);
  });
});
