import { expect } from 'chai';
import { type Ask, type Call, PROTOCOLS, whole } from '../support/gateway-fixture.ts';
import { until } from '../support/turns.ts';
import { BrokenPath } from './broken-path.ts';

const PODS = '/clusters/c1/api/v1/namespaces/default/pods';
const BODY = JSON.stringify({ kind: 'Pod' });

for (const protocol of PROTOCOLS) {
  describe(`tunnel-path/lost-session over ${protocol}`, function () {
    this.timeout(60_000);
    let path: BrokenPath;
    beforeEach(async () => {
      path = await BrokenPath.start();
      path.upstream.answer = (_, response) => response.writeHead(201).end('made');
    });
    afterEach(() => path.stop());

    const ask = (rest: Partial<Ask> = {}) =>
      whole(path.gateway.client(protocol), { method: 'POST', path: PODS, ...rest });

    /** A request that is on its way to the agent when the connection breaks, and never gets there. */
    async function unseen(rest: Partial<Ask> = {}) {
      path.relay.hold();
      const answer = ask(rest);
      await until(() => path.relay.heldBytes > 0);
      await path.break();
      expect(path.gateway.counts).to.include({ unsettled: 1 });
      return answer;
    }

    it('makes once, over the next session, what the agent never saw', async () => {
      const answer = unseen();
      await until(() => path.gateway.counts.unsettled === 1);
      await path.mend();
      expect(await answer).to.include({ status: 201, text: 'made' });
      expect(path.upstream.received.map(({ method }) => method)).to.deep.equal(['POST']);
    });

    it('makes nothing of what the agent never saw and whose body is gone, and says that it may be sent again', async () => {
      const answer = unseen({ body: BODY });
      await until(() => path.gateway.counts.unsettled === 1);
      await path.mend();
      const { status, headers, text } = await answer;
      expect([status, headers['retry-after']]).to.deep.equal([503, '1']);
      expect(JSON.parse(text).details.causes[0]).to.include({ reason: 'not_executed' });
      expect(path.upstream.received).to.have.length(0);
      const again = await ask({ body: BODY });
      expect([again.status, path.upstream.received.length]).to.deep.equal([201, 1]);
    });

    for (const body of [undefined, BODY]) {
      it(`makes once what the agent saw, and says that it may have run: body ${body}`, async () => {
        path.upstream.answer = () => {};
        const answer = ask(body === undefined ? {} : { body });
        await until(() => path.upstream.received.length === 1);
        await path.break();
        await path.mend();
        const { status, headers, text } = await answer;
        expect([status, headers['retry-after']]).to.deep.equal([504, undefined]);
        expect(JSON.parse(text).message).to.contain('may have been executed');
        expect(path.upstream.received).to.have.length(1);
        await until(() => path.upstream.last.isAborted);
      });
    }

    it('sends what came while nobody was there in its order once the agent is back, and never what its client gave up', async () => {
      await path.break();
      const client = path.gateway.client(protocol);
      const names = ['a', 'b', 'c', 'd', 'e'];
      const calls: Call[] = [];
      for (const [at, name] of names.entries()) {
        calls.push(client.call({ method: at % 2 === 0 ? 'GET' : 'POST', path: `${PODS}/${name}` }));
        await until(() => path.gateway.counts.waiting === at + 1);
      }
      calls[1]?.cancel();
      await until(() => path.gateway.counts.waiting === names.length - 1);
      // One worker alone shows the order at the target.
      path.agent.pools.ordinary.limit = 1;
      await path.mend();
      await until(() => path.upstream.received.length === names.length - 1);
      const seen = path.upstream.received.map(({ method, url }) => `${method} ${url.split('/').at(-1)}`);
      expect(seen).to.deep.equal(['GET a', 'GET c', 'POST d', 'GET e']);
      const answered = await Promise.all([0, 2, 3, 4].map((at) => calls[at]?.answer));
      expect(answered.map((answer) => answer?.status)).to.deep.equal([201, 201, 201, 201]);
      for (const answer of answered) answer?.body.resume();
    });

    it('tells them apart when both are lost at once', async () => {
      path.upstream.answer = () => {};
      const seen = ask();
      await until(() => path.upstream.received.length === 1);
      path.upstream.answer = (_, response) => response.writeHead(201).end('made');
      path.relay.hold();
      const later = Promise.all([ask(), ask(), ask({ method: 'DELETE' })]);
      await until(() => path.gateway.counts.streams === 4 && path.relay.heldBytes > 0);
      await path.break();
      await path.mend();
      expect((await seen).status).to.equal(504);
      expect((await later).map(({ status }) => status)).to.deep.equal([201, 201, 201]);
      expect(path.upstream.received.map(({ method }) => method)).to.have.members(['POST', 'POST', 'POST', 'DELETE']);
    });
  });
}
