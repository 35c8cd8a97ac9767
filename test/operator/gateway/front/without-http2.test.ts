import { once } from 'node:events';
import { connect } from 'node:tls';
import { expect } from 'chai';
import { GatewayFixture, whole } from '../../../support/gateway-fixture.ts';
import { until } from '../../../support/turns.ts';

describe('operator/gateway/front/server without HTTP/2', () => {
  let fixture: GatewayFixture;

  beforeEach(async () => {
    fixture = await GatewayFixture.start({ http2: false });
  });
  afterEach(() => fixture.stop());

  /** What TLS agrees on. @throws the alert */
  async function agreed(offered?: string[]): Promise<string | false | null> {
    const { port } = fixture.gateway;
    const socket = connect({
      port,
      servername: 'localhost',
      ca: fixture.ca,
      ...(offered === undefined ? {} : { ALPNProtocols: offered }),
    });
    try {
      await once(socket, 'secureConnect');
      return socket.alpnProtocol;
    } finally {
      socket.destroy();
    }
  }

  it('agrees with clients of both on HTTP/1.1, as with those that say nothing', async () => {
    expect(await agreed(['h2', 'http/1.1'])).to.equal('http/1.1');
    expect(await agreed(['http/1.1'])).to.equal('http/1.1');
    expect(await agreed()).to.equal(false);
  });

  it('refuses a client that can only HTTP/2 in the handshake', async () => {
    const refusal = await agreed(['h2']).catch((error: NodeJS.ErrnoException) => error.code);
    expect(refusal).to.equal('ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL');
    await until(() => fixture.counts.connections === 0);
  });

  it('serves requests and agents as before', async () => {
    const agent = await fixture.agent({ serve: (served) => served.answer(200, [], 'ok') });
    expect((await whole(fixture.client('http/1.1'), { path: '/clusters/c1/api' })).text).to.equal('ok');
    expect(agent.served).to.have.length(1);
  });
});
