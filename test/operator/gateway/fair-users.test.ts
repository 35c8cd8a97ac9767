import { expect } from 'chai';
import { type Call, GatewayFixture, type ScriptedAgent, SETTINGS, type Served } from '../../support/gateway-fixture.ts';
import { turns, until } from '../../support/turns.ts';

const PODS = '/clusters/c1/api/v1/pods';
const WORKERS = 4;
const ANY_RATE = { requestsPerSecond: 100_000, burst: 100_000 };

describe('operator/gateway: users of one tunnel', function () {
  this.timeout(30_000);
  let fixture: GatewayFixture;
  let agent: ScriptedAgent;
  beforeEach(async () => {
    fixture = await GatewayFixture.start();
    fixture.reviewToken = async (token) => ({
      authenticated: true,
      user: { username: token, groups: ['system:authenticated'] },
    });
    agent = await fixture.agent({ slots: { ordinary: WORKERS, longRunning: WORKERS } });
  });
  afterEach(() => fixture.stopQuiet());

  const ask = (token: string, count: number, headers: Record<string, string> = {}): Call[] => {
    const clients = Array.from({ length: Math.ceil(count / 200) }, () => fixture.client('h2'));
    return Array.from({ length: count }, (_, at) =>
      (clients[at % clients.length] ?? fixture.client('h2')).call({ path: PODS, token, headers }),
    );
  };
  const userOf = ({ head }: Served) => head.identity?.user ?? '';
  const open = () => agent.served.filter(({ isClosed }) => !isClosed);
  /** Answers what runs, until so many have been. */
  const answer = async (count: number) => {
    for (let done = 0; done < count; done++) {
      await until(() => open().length > 0);
      const [served] = open();
      served?.answer(200);
      await until(() => served?.isClosed === true);
      await turns(2);
    }
  };

  it('one with a request does not stand behind one with a thousand', async () => {
    const many = ask('many', 1_000);
    await until(() => fixture.counts.waiting === 1_000 - WORKERS);
    const [one] = ask('one', 1);
    await until(() => fixture.counts.waiting === 1_001 - WORKERS);
    await answer(2);
    await until(() => agent.served.some((served) => userOf(served) === 'one'));
    expect(agent.served.length).to.be.at.most(WORKERS + 3);
    for (const call of [...many, one]) call?.cancel();
  });

  it('of equal demand are served equally, whoever came first', async () => {
    const users = ['ann', 'ben', 'cleo', 'dan', 'eve'];
    const calls: Call[] = [];
    for (const user of users) {
      calls.push(...ask(user, 60));
      await until(() => fixture.counts.waiting === calls.length - WORKERS);
    }
    await answer(150);
    const counts = users.map((user) => agent.served.filter((served) => userOf(served) === user).length);
    expect(Math.max(...counts) / Math.min(...counts), counts.join()).to.be.at.most(3);
    expect(Math.min(...counts)).to.be.above(20);
    for (const call of calls) call.cancel();
  });

  for (const { code, limits, admission } of [
    { code: 'queue_full', limits: {}, admission: { maxQueuedRequests: 100, rateLimit: ANY_RATE } },
    { code: 'stream_limit', limits: { maxStreamsPerSession: 100 + WORKERS }, admission: undefined },
  ]) {
    it(`who fills the queue loses the newest of it to who has less, and hears ${code}`, async () => {
      const settings = { ...SETTINGS, limits: { ...SETTINGS.limits, ...limits } };
      fixture.addTunnel('c1', { settings, ...(admission === undefined ? {} : { admission }) });
      fixture.gateway.tunnelChanged('c1');
      const calls = ask('many', 100 + WORKERS);
      await until(() => fixture.counts.waiting === 100);
      const [one] = ask('one', 1);
      await until(() => fixture.refused.length === 1);
      expect(fixture.refused).to.deep.equal([code]);
      const answers = calls.map(({ answer: told }) => told.then(({ status }) => status));
      expect(await Promise.race(answers)).to.equal(429);
      expect(fixture.counts.waiting).to.equal(100);
      for (const call of [...calls, one]) call?.cancel();
    });
  }

  it('who acts as others shares as himself', async () => {
    fixture.reviewAccess = async () => ({ allowed: true });
    const calls: Call[] = [];
    for (let at = 0; at < 40; at++) calls.push(...ask('front', 1, { 'impersonate-user': `user-${at}` }));
    await until(() => fixture.counts.waiting === 40 - WORKERS);
    calls.push(...ask('one', 1));
    await until(() => fixture.counts.waiting === 41 - WORKERS);
    await answer(2);
    await until(() => agent.served.some((served) => userOf(served) === 'one'));
    for (const call of calls) call.cancel();
  });
});
