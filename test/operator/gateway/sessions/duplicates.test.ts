import { once } from 'node:events';
import { expect } from 'chai';
import { ErrorCode } from '../../../../tunnel/wire/codes.ts';
import { type AgentScript, GatewayFixture, whole } from '../../../support/gateway-fixture.ts';
import { turns, until } from '../../../support/turns.ts';

const PODS = '/clusters/c1/api/v1/namespaces/default/pods';
const PROCESS = { instanceId: 'process', connection: 0 };

describe('operator/gateway/sessions: a second session of one connection', function () {
  // Joined tests: a machine that is busy elsewhere must not fail them.
  this.timeout(15_000);
  let fixture: GatewayFixture;
  beforeEach(async () => {
    fixture = await GatewayFixture.start();
  });
  afterEach(() => fixture.stopQuiet());

  const greet = (hello: AgentScript['hello'] = {}, script: AgentScript = {}) =>
    fixture.agent({ ...script, hello: { ...PROCESS, ...hello } });

  it('takes the place of the first, which is told so', async () => {
    const first = await greet();
    const second = await greet();
    await until(() => first.end !== undefined);
    expect(first.goaway).to.include({ code: ErrorCode.Replaced, reason: 'a newer session took its place' });
    expect([fixture.counts.sessions, second.end]).to.deep.equal([1, undefined]);
  });

  it('is the first one again when `connection` is missing', async () => {
    const first = await fixture.agent({ hello: { instanceId: 'process' } });
    await greet({ connection: 0 });
    await until(() => first.end !== undefined);
  });

  it('is no disconnect, and the tunnel is there all the time', async () => {
    const first = await greet();
    first.session.health({ k8sHealthy: true, kubernetesVersion: 'v1.36.0' });
    await until(() => fixture.gateway.facts('c1').links[0]?.health !== undefined);
    const counts = new Set<number>();
    fixture.onChange = () => counts.add(fixture.gateway.facts('c1').links.length);
    await greet();
    await until(() => first.end !== undefined);
    const { links, lastDisconnect, awaySinceMs } = fixture.gateway.facts('c1');
    expect([lastDisconnect, awaySinceMs, [...counts]]).to.deep.equal([undefined, undefined, [1]]);
    expect(links[0]?.health?.report, 'what this process said of its upstream').to.include({ k8sHealthy: true });
  });

  for (const [what, hello, script] of [
    ['another process', { instanceId: 'another' }, {}],
    ['another connection of the process', { connection: 1 }, {}],
    ['a process with that id at another tunnel', {}, { tunnel: 'c2' }],
  ] as const) {
    it(`is none: ${what} takes nobody's place`, async () => {
      fixture.addTunnel('c2');
      const first = await greet();
      await greet(hello, script);
      await turns();
      expect([first.end, fixture.counts.sessions]).to.deep.equal([undefined, 2]);
    });
  }

  it('is none: a process with that id at a namesake of the tunnel takes nobody down', async () => {
    const first = await greet();
    fixture.addTunnel('c1', { uid: 'uid-of-another' });
    await greet({}, { token: fixture.mint('c1', 'uid-of-another') });
    await turns();
    expect([first.goaway, fixture.counts.sessions]).to.deep.equal([undefined, 2]);
  });

  it('lets the first finish that drains: make before break', async () => {
    const first = await greet();
    const answer = whole(fixture.client('http/1.1'), { path: PODS });
    const served = await first.request();
    first.session.session.drain(ErrorCode.Draining, 'the agent leaves');
    await until(() => fixture.gateway.facts('c1').links[0]?.session.session.state === 'draining');
    await greet();
    await turns();
    expect(first.end).to.equal(undefined);
    served.answer(200, [], 'to the end');
    expect((await answer).text).to.equal('to the end');
    await until(() => first.end !== undefined);
    expect(first.end?.code).to.equal(ErrorCode.Draining);
  });

  it('replaces nobody before its greeting', async () => {
    const first = await greet();
    const socket = fixture.dial({ token: fixture.mint() });
    await once(socket, 'open');
    await until(() => fixture.counts.greeting === 1);
    expect(first.end).to.equal(undefined);
    socket.terminate();
  });

  it('has what the first had and its agent never saw: nobody had heard that the connection broke', async () => {
    const first = await greet();
    const answer = whole(fixture.client('http/1.1'), { method: 'POST', path: PODS });
    const lost = whole(fixture.client('http/1.1'), { method: 'POST', path: PODS, body: '{}' });
    await first.request(1);
    const sessionId = fixture.gateway.facts('c1').links[0]?.session.id ?? '';
    const second = await greet({ previous: { sessionId, lastStreamId: 0 } }, { serve: (served) => served.answer(201) });
    expect((await answer).status).to.equal(201);
    const { status, headers } = await lost;
    expect([status, headers['retry-after']]).to.deep.equal([503, '1']);
    expect(second.served).to.have.length(1);
  });

  it('answers 504 to writes of the first at once when it does not speak of them', async () => {
    const first = await greet();
    const answer = whole(fixture.client('http/1.1'), { method: 'POST', path: PODS });
    await first.request();
    await greet();
    expect((await answer).status).to.equal(504);
  });

  it('leaves no timer of the first', async () => {
    const first = await greet();
    const second = await greet();
    await until(() => first.end !== undefined);
    second.session.session.close(ErrorCode.Draining, 'done');
    await until(() => fixture.counts.sessions === 0);
    expect(fixture.clock.pending).to.equal(0);
  });
});
