import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { expect } from 'chai';
import { type Answer, bodyOf, GatewayFixture, PROTOCOLS } from '../support/gateway-fixture.ts';
import { block, data, Flag, frame, RawHttp2, Type } from '../support/raw-http2.ts';
import { turns, until } from '../support/turns.ts';
import { PODS } from './hostile.ts';
import { GET } from './http2/rule.ts';
import { WholePath } from './whole-path.ts';

/** spec.timeouts.request of the fixture and the gateway's margin. */
const DEADLINE_MS = 130_000;

/** Clients that hold on to what they have: none of it for ever. Heads: test/operator/gateway/front/server.test.ts. */
describe('tunnel-path/slow-clients', function () {
  this.timeout(30_000);

  describe('a TLS handshake', () => {
    let fixture: GatewayFixture;
    beforeEach(async () => {
      fixture = await GatewayFixture.start({ headTimeoutMs: 200 });
    });
    afterEach(() => fixture.stop());

    const BEGINNINGS: readonly (readonly [string, Buffer])[] = [
      ['nothing', Buffer.alloc(0)],
      ['the head of a ClientHello', Buffer.from('1603010200010001fc0303', 'hex')],
    ];
    for (const [what, bytes] of BEGINNINGS) {
      it(`that gets no further than ${what} is cut`, async () => {
        const socket = connectTcp({ host: '127.0.0.1', port: fixture.gateway.port, allowHalfOpen: true });
        socket.on('error', () => {});
        await once(socket, 'connect');
        socket.write(bytes);
        await until(() => fixture.counts.connections === 1);
        await until(() => fixture.counts.connections === 0);
        socket.destroy();
      });
    }
  });

  describe('a request', () => {
    let path: WholePath;
    beforeEach(async () => {
      path = await WholePath.start();
    });
    afterEach(() => path.stop());

    for (const protocol of PROTOCOLS) {
      it(`whose body stops in the middle ends by its deadline, at the target too, over ${protocol}`, async () => {
        path.upstream.answer = () => {};
        const call = path.gateway.client(protocol).call({ method: 'POST', path: PODS, body: 'open' });
        call.upload.write('half of it');
        await until(() => path.upstream.received[0]?.bodyBytes === 10);
        let answer: Answer | undefined;
        void call.answer.then((told) => {
          answer = told;
        });
        await path.gateway.pass(DEADLINE_MS);
        await until(() => answer !== undefined);
        expect(answer?.status).to.equal(504);
        expect(JSON.parse(await bodyOf(answer as Answer))).to.include({ kind: 'Status', reason: 'Timeout' });
        await until(() => path.upstream.last.isAborted);
        expect(path.upstream.last.isWhole).to.equal(false);
        call.cancel();
      });
    }

    it('whose answer nobody takes is cut, over http/1.1', async () => {
      path.upstream.answer = (_, response) => response.end(Buffer.alloc(64 * 2 ** 20));
      const raw = await path.gateway.raw();
      raw.socket.pause();
      raw.write(`GET ${PODS} HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer alice\r\n\r\n`);
      await until(() => path.gateway.counts.bufferedBytes > 0);
      await turns(200);
      await path.gateway.pass(30_000);
      await until(() => path.gateway.isQuiet && path.gateway.counts.connections === 1);
      await until(() => path.upstream.connections === 0);
    });

    it('whose fields never end, over h2, keeps its connection for no longer than an idle one', async () => {
      const connection = await RawHttp2.open(path.gateway);
      connection.send(frame(Type.Headers, Flag.EndStream, 1, block(GET)));
      await connection.isAlive();
      for (let at = 0; at < 6; at++) {
        await path.gateway.pass(15_000);
        connection.send(frame(Type.Continuation, 0, 1, block([[`x-${at}`, 'y']])));
        await turns();
      }
      await until(() => connection.isClosed);
      expect(path.upstream.received).to.have.length(0);
      connection.raw.leave();
    });

    it('that dribbles a body over h2 lives on its own deadline, not on its bytes', async () => {
      path.upstream.answer = () => {};
      const connection = await RawHttp2.open(path.gateway);
      const post = GET.map(([name, value]) => [name, name === ':method' ? 'POST' : value] as const);
      connection.send(frame(Type.Headers, Flag.EndHeaders, 1, block(post)));
      for (let ms = 0; ms < DEADLINE_MS; ms += 10_000) {
        connection.send(data(1, 'x'));
        await turns();
        await path.gateway.pass(10_000);
      }
      await until(() => connection.hasEnded(1));
      expect(connection.statusOf(1)).to.equal(504);
      await until(() => path.upstream.last.isAborted);
      connection.raw.leave();
    });
  });
});
