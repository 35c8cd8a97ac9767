import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { Agent, request } from 'node:https';
import { expect } from 'chai';
import { Signer } from '../../../support/client-certificates.ts';
import { bodyOf, GatewayFixture } from '../../../support/gateway-fixture.ts';

const LIST = '/clusters';
type Pair = { readonly cert: string; readonly key: string };

describe('operator/gateway/front: client certificates', function () {
  this.timeout(15_000);
  let fixture: GatewayFixture;
  let hub: Signer;
  let jane: Pair;
  before(async () => {
    hub = await Signer.authority();
    jane = await (await hub.issue()).keyPair();
  });
  beforeEach(async () => {
    fixture = await GatewayFixture.start();
    // The fixture's clock begins with 2026.
    fixture.clock.advance(Date.now() - fixture.clock.date().getTime());
    fixture.gateway.setClientAuthorities(hub.cert);
  });
  afterEach(() => fixture.stop());

  const told = async (pair: Pair | object, headers: Record<string, string> = {}, agent?: Agent) => {
    const asked = request(`${fixture.url}${LIST}`, { ca: fixture.ca, ...pair, headers, agent: agent ?? false });
    asked.end();
    const [response] = await once(asked, 'response');
    const text = await bodyOf({ body: response });
    return { status: response.statusCode, text, user: fixture.reviewed.access.at(-1)?.user };
  };

  it('are log-ins, over HTTP/1.1 and HTTP/2, and the hub reviews no token', async () => {
    expect(await told(jane)).to.include({ status: 200, user: 'jane' });
    const session = connectHttp2(fixture.url, { ca: fixture.ca, ...jane });
    for (let at = 0; at < 2; at++) {
      const stream = session.request({ ':path': LIST });
      const [head] = await once(stream, 'response');
      expect(head[':status']).to.equal(200);
      stream.resume();
      await once(stream, 'close');
    }
    session.destroy();
    expect(fixture.reviewed.tokens).to.deep.equal([]);
  });

  it('speak before a token; one that is nobody’s leaves the word to it', async () => {
    const authorization = 'Bearer alice';
    expect(await told(jane, { authorization })).to.include({ status: 200, user: 'jane' });
    const stranger = await (await (await Signer.authority()).issue()).keyPair();
    expect(await told(stranger, { authorization })).to.include({ status: 200, user: 'alice' });
    const { status, text } = await told(stranger);
    expect(status).to.equal(401);
    expect(text).to.include('no authority of the hub signed it');
  });

  it('expire, and lose their authority, on a connection that lives', async () => {
    const agent = new Agent({ keepAlive: true, ca: fixture.ca, ...jane });
    expect((await told(jane, {}, agent)).status).to.equal(200);
    const other = await Signer.authority();
    fixture.gateway.setClientAuthorities(other.cert);
    expect((await told(jane, {}, agent)).status).to.equal(401);
    fixture.gateway.setClientAuthorities(hub.cert + other.cert);
    expect((await told(jane, {}, agent)).status).to.equal(200);
    fixture.clock.advance(366 * 86_400_000);
    expect((await told(jane, {}, agent)).text).to.include('it has expired');
    agent.destroy();
  });

  it('are neither good nor bad until the hub has said whom it trusts: 503, not 401', async () => {
    const early = await GatewayFixture.start();
    const asked = request(`${early.url}${LIST}`, { ca: early.ca, ...jane, agent: false });
    asked.end();
    const [response] = await once(asked, 'response');
    expect([response.statusCode, response.headers['retry-after']]).to.deep.equal([503, '2']);
    response.resume();
    await early.stop();
  });

  it('are asked for of everybody and demanded of nobody', async () => {
    expect(await told({}, { authorization: 'Bearer alice' })).to.include({ status: 200, user: 'alice' });
    expect((await told({})).text).to.include('a bearer token or a client certificate of the hub is required');
    await fixture.agent();
  });

  it('that could not be sent unasked by a page of another origin', async () => {
    expect((await told(jane, { origin: 'https://evil.example' })).status).to.equal(403);
  });
});
