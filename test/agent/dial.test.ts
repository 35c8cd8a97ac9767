import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect } from 'chai';
import { connectGateway, DialError } from '../../agent/dial.ts';
import { CONNECT_PATH, SUBPROTOCOL } from '../../tunnel/session/settings.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/turns.ts';
import { ConnectProxy } from './connect-proxy.ts';
import { StubGateway } from './stub-gateway.ts';

/** Real TLS and proxies: a machine that is busy elsewhere must not fail them. */
const BUSY_MACHINE_MS = 15_000;
const TOKEN = 'ct1.abcdefghij.secret';
const NEVER = new AbortController().signal;

describe('agent/dial', function () {
  this.timeout(BUSY_MACHINE_MS);
  let gateway: StubGateway;
  const clock = new ManualClock();

  beforeEach(async () => {
    gateway = await StubGateway.start();
  });
  afterEach(() => gateway.close());

  const dial = (ca: string, signal = NEVER, gatewayUrl = gateway.url, proxyUrl: string | undefined = undefined) =>
    connectGateway({ gatewayUrl, proxyUrl, credentials: { token: TOKEN, ca }, clock }, signal);

  /** The error of an attempt that must fail. */
  const failure = async (attempt: Promise<unknown>): Promise<DialError> => {
    const error: unknown = await attempt.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(DialError);
    return error as DialError;
  };

  it('opens a WebSocket with token and subprotocol, and no mask', async () => {
    const socket = await dial(gateway.ca);
    const [request] = gateway.requests;
    expect(request?.url).to.equal(CONNECT_PATH);
    expect(request?.headers.authorization).to.equal(`Bearer ${TOKEN}`);
    expect(request?.headers['sec-websocket-protocol']).to.equal(SUBPROTOCOL);
    expect(request?.headers['sec-websocket-extensions']).to.equal(undefined);
    expect(request?.headers.origin).to.equal(undefined);
    expect(socket.protocol).to.equal(SUBPROTOCOL);
    expect(clock.pending, 'timers').to.equal(0);
    socket.terminate();
  });

  it('never sends a byte to a gateway that its CA does not vouch for', async () => {
    const other = await StubGateway.start();
    const error = await failure(dial(other.ca));
    expect(error.message).to.include('not signed by the expected CA').and.include(gateway.url);
    expect(error.message).to.not.include(TOKEN);
    await until(() => gateway.connections === 1);
    expect(gateway.requests).to.deep.equal([]);
    expect(gateway.receivedBytes).to.equal(0);
    await other.close();
  });

  it('never sends a byte to a gateway of another name', async () => {
    const misnamed = await StubGateway.start(['127.0.0.9']);
    const error = await failure(dial(misnamed.ca, NEVER, misnamed.url));
    expect(error.message).to.include('certificate is for other names');
    expect(misnamed.receivedBytes).to.equal(0);
    await misnamed.close();
  });

  it('names the hop and what to look at when the connection is refused', async () => {
    const { url, ca } = gateway;
    await gateway.close();
    const error = await failure(dial(ca, NEVER, url));
    expect(error.message).to.equal(
      `gateway ${url}: connection refused: is the server running, and is this its address?`,
    );
    expect(error.isRejection).to.equal(false);
    gateway = await StubGateway.start();
  });

  it('repeats what a gateway says that rejects it', async () => {
    const message = 'the agent token is not valid: apply a fresh manifest or Secret';
    for (const status of [401, 403, 404]) {
      gateway.refusal = { status, body: JSON.stringify({ kind: 'Status', message }) };
      const error = await failure(dial(gateway.ca));
      expect(error.isRejection).to.equal(true);
      expect(error.message).to.include(`answered ${status}: ${message}`);
    }
  });

  it('takes a draining or broken gateway for one that may be back soon', async () => {
    for (const [status, body] of [
      [429, '{"message":"the gateway is leaving"}'],
      [502, '<html>bad gateway</html>'],
      [503, ''],
    ] as const) {
      gateway.refusal = { status, body };
      const error = await failure(dial(gateway.ca));
      expect(error.isRejection).to.equal(false);
      expect(error.message).to.include(`answered ${status}`);
    }
  });

  it('gives up when told to', async () => {
    const stop = new AbortController();
    const reason = new Error('the agent stops');
    const attempt = dial(gateway.ca, stop.signal);
    stop.abort(reason);
    const error: unknown = await attempt.catch((thrown: unknown) => thrown);
    expect(error).to.equal(reason);
    expect(clock.pending).to.equal(0);
  });

  it('gives up on a gateway that says nothing in time', async () => {
    const attempt = failure(dial(gateway.ca));
    clock.advance(15_000);
    expect((await attempt).message).to.include('no answer within 15000 ms');
  });

  describe('through a proxy', () => {
    let proxy: ConnectProxy;
    const through = (ca = gateway.ca, signal = NEVER, gatewayUrl = gateway.url) =>
      dial(ca, signal, gatewayUrl, proxy.url);

    beforeEach(async () => {
      proxy = await ConnectProxy.start();
    });
    afterEach(async () => {
      await until(() => proxy.connections === 0);
      expect(clock.pending, 'timers').to.equal(0);
      await proxy.close();
    });

    it('opens a WebSocket that the proxy cannot read', async () => {
      const socket = await through();
      expect(proxy.destinations).to.deep.equal([new URL(gateway.url).host]);
      expect(gateway.requests[0]?.headers.authorization).to.equal(`Bearer ${TOKEN}`);
      const [request] = proxy.requests;
      expect(request?.headers).to.have.all.keys('host', 'proxy-connection');
      expect(proxy.heard).to.not.equal('').and.not.include(TOKEN);
      expect(socket.protocol).to.equal(SUBPROTOCOL);
      socket.terminate();
    });

    it('never sends a byte to a gateway that its CA does not vouch for', async () => {
      const other = await StubGateway.start();
      const error = await failure(through(other.ca));
      expect(error.message).to.include('not signed by the expected CA').and.include(gateway.url);
      await until(() => gateway.connections === 1);
      expect(gateway.receivedBytes).to.equal(0);
      expect(gateway.requests).to.deep.equal([]);
      await other.close();
    });

    it('never sends a byte to a gateway of another name, were it even the name of the proxy', async () => {
      const misnamed = await StubGateway.start(['127.0.0.9']);
      expect(new URL(proxy.url).hostname, 'a name of the certificate').to.equal('localhost');
      const error = await failure(through(misnamed.ca, NEVER, misnamed.url));
      expect(error.message).to.include('certificate is for other names').and.include(misnamed.url);
      expect(misnamed.receivedBytes).to.equal(0);
      await misnamed.close();
    });

    it('reaches a gateway by its name', async () => {
      const socket = await through(gateway.ca, NEVER, gateway.url.replace('127.0.0.1', 'localhost'));
      expect(proxy.destinations[0]).to.match(/^localhost:/);
      socket.terminate();
    });

    it('names the proxy when its connection is refused', async () => {
      const { url } = proxy;
      await proxy.close();
      const error = await failure(dial(gateway.ca, NEVER, gateway.url, url));
      expect(error.message).to.equal(
        `proxy ${url}: connection refused: is the server running, and is this its address?`,
      );
      proxy = await ConnectProxy.start();
    });

    for (const [status, remedy] of [
      [403, 'allow this destination'],
      [407, 'wants credentials'],
      [502, 'cannot reach the gateway'],
      [500, 'see its log'],
    ] as const) {
      it(`names the proxy when it answers ${status}, and what to do`, async () => {
        proxy.refusal = status;
        const error = await failure(through());
        expect(error.message).to.include(`proxy ${proxy.url} answered ${status} to CONNECT`).and.include(remedy);
        expect(error.isRejection, 'a rejection by the gateway').to.equal(false);
        expect(gateway.connections).to.equal(0);
      });
    }

    it('names the proxy when it leaves without an answer', async () => {
      proxy.refusal = 'leaves';
      const error = await failure(through());
      expect(error.message).to.include(`proxy ${proxy.url}: `).and.include('ended before');
    });

    it('gives up on a proxy that says nothing in time, and closes the connection', async () => {
      proxy.refusal = 'hangs';
      const attempt = failure(through());
      await until(() => proxy.destinations.length === 1);
      clock.advance(15_000);
      expect((await attempt).message).to.equal(`proxy ${proxy.url}: no answer to CONNECT within 15000 ms`);
    });

    it('gives up when told to, however far it came', async () => {
      for (const refusal of ['hangs', undefined] as const) {
        proxy.refusal = refusal;
        const stop = new AbortController();
        const attempt = through(gateway.ca, stop.signal).catch((thrown: unknown) => thrown);
        const before = proxy.destinations.length;
        await until(() => proxy.destinations.length > before);
        const reason = new Error('the agent stops');
        stop.abort(reason);
        expect(await attempt).to.equal(reason);
        await until(() => proxy.connections === 0);
      }
    });

    it('names the gateway when it is silent behind the proxy', async () => {
      const silent = createServer().listen(0, '127.0.0.1');
      await once(silent, 'listening');
      const url = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`;
      const attempt = failure(through(gateway.ca, NEVER, url));
      await until(() => proxy.heard !== '');
      clock.advance(15_000);
      expect((await attempt).message).to.equal(`gateway ${url}: no answer within 15000 ms`);
      silent.close();
    });

    it('repeats what a gateway says behind the proxy', async () => {
      gateway.refusal = { status: 401, body: '{"message":"the agent token is not valid"}' };
      const error = await failure(through());
      expect(error.message).to.include(`gateway ${gateway.url} answered 401: the agent token is not valid`);
      expect(error.isRejection).to.equal(true);
    });

    it('is a matter of its flag only: the environment is not read', async () => {
      const names = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy'];
      const before = names.map((name) => process.env[name]);
      for (const name of names) process.env[name] = proxy.url;
      try {
        (await dial(gateway.ca)).terminate();
      } finally {
        for (const [at, name] of names.entries()) {
          if (before[at] === undefined) delete process.env[name];
          else process.env[name] = before[at];
        }
      }
      expect(proxy.destinations).to.deep.equal([]);
    });
  });
});
