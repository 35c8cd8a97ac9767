import { expect } from 'chai';
import { GatewayFixture, PROTOCOLS, whole } from '../support/gateway-fixture.ts';
import { until } from '../support/turns.ts';
import { WholePath } from './whole-path.ts';

const SCHEMA = '/openapi/v3/apis/apps/v1?hash=';

describe('tunnel-path/redirects', () => {
  it('sends a reader to the same path with another query, through the same tunnel, and nowhere else', async () => {
    const path = await WholePath.start();
    for (const protocol of PROTOCOLS) {
      path.upstream.answer = (_, response) => response.writeHead(301, { location: `${SCHEMA}new` }).end();
      const client = path.gateway.client(protocol);
      const { status, headers } = await whole(client, { path: `/clusters/c1${SCHEMA}old` });
      expect([status, headers['location']]).to.deep.equal([301, `/clusters/c1${SCHEMA}new`]);
      for (const location of ['https://evil/', '/api/v1']) {
        path.upstream.answer = (_, response) => response.writeHead(302, { location }).end();
        const refused = await whole(client, { path: '/clusters/c1/api' });
        expect([refused.status, refused.headers['location']]).to.deep.equal([502, undefined]);
      }
    }
    await path.stop();
  });

  it('believes no agent that would send a client elsewhere', async () => {
    const fixture = await GatewayFixture.start();
    await fixture.agent({ serve: (served) => served.answer(302, ['Location', 'https://evil/']) });
    const { status, headers, text } = await whole(fixture.client('h2'), { path: '/clusters/c1/api' });
    expect([status, headers['location']]).to.deep.equal([502, undefined]);
    expect(text).to.contain('upstream_protocol');
    const raw = await fixture.raw();
    const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\nAuthorization: Bearer alice\r\n';
    raw.write(`GET /clusters/c1/api/v1/namespaces/a/pods/b/exec HTTP/1.1\r\nHost: g\r\n${upgrade}\r\n`);
    expect(await raw.closed()).to.match(/^HTTP\/1\.1 502 /);
    await until(() => fixture.isQuiet);
    await fixture.stop();
  });
});
