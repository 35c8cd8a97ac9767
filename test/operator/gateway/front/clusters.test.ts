import { expect } from 'chai';
import { asksForClusters } from '../../../../operator/gateway/front/clusters.ts';
import { MAX_LISTS } from '../../../../operator/gateway/front/usable-tunnels.ts';
import { EXTERNAL_URL, GatewayFixture, PROTOCOLS, whole } from '../../../support/gateway-fixture.ts';
import { turns, until } from '../../../support/turns.ts';

/** Joined tests: a machine that is busy elsewhere must not fail them. */
const BUSY_MACHINE_MS = 15_000;

describe('operator/gateway/front/clusters', function () {
  this.timeout(BUSY_MACHINE_MS);
  let fixture: GatewayFixture;
  beforeEach(async () => {
    fixture = await GatewayFixture.start();
  });
  afterEach(() => fixture.stopQuiet());

  const ask = (rest: object = {}) => whole(fixture.client('http/1.1'), { path: '/clusters', ...rest });
  const names = async (rest: object = {}) => {
    const { status, text } = await ask(rest);
    expect(status).to.equal(200);
    return JSON.parse(text).items.map(({ name }: { name: string }) => name);
  };
  /** Who may use which tunnels, by name; the empty name is all. */
  const grant = (granted: readonly string[]) => {
    fixture.reviewAccess = async (_user, name, verb) => ({ allowed: verb === 'get' && granted.includes(name) });
  };

  for (const url of ['/clusters', '/clusters/', '/clusters?limit=500', '/clusters/?x']) {
    it(`is asked for by ${url}`, () => expect(asksForClusters(url)).to.equal(true));
  }
  for (const url of ['/clusters/c1', '/clusters//', '/Clusters', '/clustersx', '/', 'clusters', '/x/clusters']) {
    it(`is not asked for by ${url}`, () => expect(asksForClusters(url)).to.equal(false));
  }

  it('lists name, endpoint and state, by name', async () => {
    fixture.addTunnel('b');
    fixture.addTunnel('a', { isSuspended: true });
    await fixture.agent({ tunnel: 'b' });
    const { status, headers, text } = await ask();
    expect([status, headers['content-type']]).to.deep.equal([200, 'application/json']);
    expect(headers['x-trace-id']).to.match(/^[0-9a-f]{32}$/);
    const endpoint = (name: string) => `${EXTERNAL_URL}/clusters/${name}`;
    expect(JSON.parse(text)).to.deep.equal({
      apiVersion: 'clustertunnel.io/v1alpha1',
      kind: 'ClusterList',
      metadata: {},
      items: [
        { name: 'a', endpoint: endpoint('a'), connected: false, suspended: true },
        { name: 'b', endpoint: endpoint('b'), connected: true, suspended: false },
        { name: 'c1', endpoint: endpoint('c1'), connected: false, suspended: false },
      ],
    });
    expect(fixture.reviewed.access).to.deep.equal([{ user: 'alice', name: '', verb: 'get' }]);
  });

  it('lists only what the caller may use, and says nothing of the rest', async () => {
    for (let at = 0; at < 40; at++) fixture.addTunnel(`t${at}`);
    grant(['t7', 't31', 'elsewhere']);
    const { text } = await ask();
    expect(JSON.parse(text).items.map(({ name }: { name: string }) => name)).to.deep.equal(['t31', 't7']);
    expect(text).to.not.match(/"t8"|c1|41|40/);
    expect(fixture.reviewed.access).to.have.length(42);
  });

  it('is empty for who may use none, as it is where there are none', async () => {
    const withTunnels = await ask({ token: 'mallory', headers: { 'x-trace-id': 't' } });
    fixture.views.clear();
    const without = await ask({ token: 'mallory', headers: { 'x-trace-id': 't' } });
    expect(withTunnels.text).to.equal(without.text);
    expect(JSON.parse(without.text).items).to.deep.equal([]);
    const { date: _a, traceparent: _spanA, ...one } = withTunnels.headers;
    const { date: _b, traceparent: _spanB, ...other } = without.headers;
    expect(one).to.deep.equal(other);
  });

  it('leaves out tunnels that are being deleted: they answer 404', async () => {
    fixture.addTunnel('leaving', { isDeleting: true });
    expect(await names()).to.deep.equal(['c1']);
  });

  it('asks the hub for no more than 16 tunnels at once, and keeps the answers for 10 s', async () => {
    for (let at = 0; at < 50; at++) fixture.addTunnel(`t${at}`);
    let running = 0;
    let most = 0;
    const waiting: (() => void)[] = [];
    fixture.reviewAccess = async (_user, name) => {
      if (name === '') return { allowed: false };
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => waiting.push(resolve));
      running -= 1;
      return { allowed: true };
    };
    const listed = names();
    let isDone = false;
    void listed.finally(() => {
      isDone = true;
    });
    await until(() => running === 16);
    await until(() => {
      waiting.shift()?.();
      return isDone;
    });
    expect((await listed).length).to.equal(51);
    expect(most).to.equal(16);
    expect((await names()).length).to.equal(51);
    expect(fixture.reviewed.access).to.have.length(52);
  });

  /** Reviews of single tunnels that wait until the test lets them go. */
  function heldReviews() {
    const held = { running: 0, most: 0, asked: 0, go: [] as (() => void)[] };
    fixture.reviewAccess = async (_user, name) => {
      if (name === '') return { allowed: false };
      held.asked += 1;
      held.running += 1;
      held.most = Math.max(held.most, held.running);
      await new Promise<void>((resolve) => held.go.push(resolve));
      held.running -= 1;
      return { allowed: true };
    };
    return held;
  }
  /** TokenReview knows everybody who has a name. */
  const anybody = () => {
    fixture.reviewToken = async (token) => ({ authenticated: true, user: { username: token } });
  };

  it('asks the hub for no more than 16 at once over all users, and once for all lists of one', async () => {
    anybody();
    for (let at = 0; at < 99; at++) fixture.addTunnel(`t${at}`);
    const held = heldReviews();
    const users = Array.from({ length: 10 }, (_, at) => `u${at}`);
    const lists = [...users, ...users].map((token) => names({ token }));
    let isDone = false;
    const all = Promise.all(lists).finally(() => {
      isDone = true;
    });
    await until(() => held.running === 16 && fixture.counts.requests === 20);
    await until(() => {
      held.go.shift()?.();
      return isDone;
    });
    expect((await all).map((list) => list.length)).to.deep.equal(Array(20).fill(100));
    expect([held.most, held.asked]).to.deep.equal([16, 1_000]);
  });

  it('answers 429 to one list too many, and 503 when the hub takes too long; then asks no more', async () => {
    anybody();
    for (let at = 0; at < 40; at++) fixture.addTunnel(`t${at}`);
    const held = heldReviews();
    const client = fixture.client('h2');
    const list = (token: string) => whole(client, { path: '/clusters', token });
    const lists = Array.from({ length: MAX_LISTS }, (_, at) => list(`u${at}`));
    await until(() => fixture.counts.requests === MAX_LISTS && held.running === 16);
    const refused = await list('late');
    expect([refused.status, refused.headers['retry-after']]).to.deep.equal([429, '1']);
    expect(JSON.parse(refused.text).details.causes[0].reason).to.equal('queue_full');
    const seen = held.asked;
    fixture.clock.advance(10_000);
    for (const { status, headers } of await Promise.all(lists)) {
      expect([status, headers['retry-after']]).to.deep.equal([503, '2']);
    }
    for (const go of held.go) go();
    await turns();
    expect(held.asked).to.equal(seen);
  });

  it('does not push out what other users were granted', async () => {
    anybody();
    fixture.reviewAccess = async (user, name) => ({ allowed: user === 'alice' && name !== '' });
    for (let at = 0; at < 30; at++) fixture.addTunnel(`t${at}`);
    await names({ token: 'mallory' });
    const before = fixture.reviewed.access.length;
    // What a list asked is not kept for requests: each request's own verdict is.
    await fixture.client('http/1.1').call({ path: '/clusters/t3/api', token: 'mallory' }).answer;
    expect(fixture.reviewed.access.length).to.equal(before + 1);
  });

  for (const at of ['', 't3']) {
    it(`answers 503 when the hub cannot say whether ${at === '' ? 'all' : 'one'} may be used`, async () => {
      for (let each = 0; each < 40; each++) fixture.addTunnel(`t${each}`);
      fixture.reviewAccess = async (_user, name) => {
        if (name === at) throw new Error('HTTP 500');
        return { allowed: name !== '' };
      };
      const { status, headers, text } = await ask();
      expect([status, headers['retry-after']]).to.deep.equal([503, '2']);
      expect(JSON.parse(text).details.causes[0].reason).to.equal('auth_unavailable');
    });
  }

  it('asks for a bearer token, and for no other methods than GET and HEAD', async () => {
    expect((await ask({ token: '' })).status).to.equal(401);
    expect((await ask({ token: 'nobody' })).status).to.equal(401);
    for (const method of ['POST', 'DELETE', 'OPTIONS']) expect((await ask({ method })).status).to.equal(405);
    expect((await ask({ headers: { 'impersonate-user': 'root' } })).status).to.equal(403);
    expect((await ask({ path: '/clusters?a#b' })).status).to.equal(400);
  });

  it('answers 429 while the gateway leaves', async () => {
    const raw = await fixture.raw();
    raw.write('GET /clusters HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer alice\r\n');
    const agent = await fixture.agent();
    const running = whole(fixture.client('http/1.1'), { path: '/clusters/c1/api' });
    const served = await agent.request();
    const drained = fixture.gateway.drain(new AbortController().signal);
    raw.write('\r\n');
    expect(await raw.closed()).to.match(/^HTTP\/1\.1 429 /);
    served.answer(200);
    await running;
    await until(() => fixture.counts.requests === 0);
    fixture.clock.advance(100);
    await drained;
  });

  for (const protocol of PROTOCOLS) {
    it(`answers HEAD over ${protocol} without a body, also where it refuses`, async () => {
      const client = fixture.client(protocol);
      const get = await whole(client, { path: '/clusters/' });
      const head = await whole(client, { path: '/clusters/', method: 'HEAD' });
      expect([head.status, head.text]).to.deep.equal([200, '']);
      expect(head.headers['content-length']).to.equal(String(get.text.length));
      const refused = await whole(client, { path: '/clusters/', method: 'HEAD', token: '' });
      expect([refused.status, refused.text]).to.deep.equal([401, '']);
    });
  }

  it('is the last answer on a connection whose client holds a body back: what comes next must not be taken for it', async () => {
    const raw = await fixture.raw();
    const head = 'GET /clusters HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer alice\r\n';
    raw.write(`${head}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`);
    expect(await raw.said('ClusterList')).to.match(/\r\nconnection: close\r\n/i);
    raw.reset();
  });

  it('is no path to switch protocols on', async () => {
    const raw = await fixture.raw();
    raw.write(
      'GET /clusters HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer alice\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
    expect(await raw.closed()).to.match(/^HTTP\/1\.1 404 /);
  });
});
