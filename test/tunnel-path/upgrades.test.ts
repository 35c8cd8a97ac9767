import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { expect } from 'chai';
import { WebSocket, WebSocketServer } from 'ws';
import type { RawConnection } from '../support/gateway-fixture.ts';
import { echo } from '../support/recording-upstream.ts';
import { valuesOf } from '../support/stub-upstream.ts';
import { turns, until } from '../support/turns.ts';
import { ALICE, EXEC, identityIn, pour, upgradeRequest, WholePath } from './whole-path.ts';

const MEBIBYTE = 2 ** 20;

describe('tunnel-path/upgrades', function () {
  this.timeout(60_000);
  let path: WholePath;

  beforeEach(async () => {
    path = await WholePath.start();
  });
  afterEach(() => path.stop());

  /** Both ends of a connection that has switched. */
  const switched = async (asking: Parameters<WholePath['upgrade']>[0] = {}) => {
    const client = await path.upgrade(asking);
    expect(client.head).to.match(/^HTTP\/1\.1 101 /);
    return { client, upgraded: await path.upstream.upgraded(path.upstream.upgrades.length - 1) };
  };
  /** The gateway has closed every connection but the agent's. */
  const closed = async (client: RawConnection) => {
    await until(() => client.hasEnded && path.gateway.counts.connections === 1);
    client.reset();
  };
  const bytesOf = (text: string) => Buffer.from(text, 'latin1');

  it('asks as the hub knows the client, and relays the 101 with the bytes behind it', async () => {
    path.upstream.script = { headers: ['Sec-WebSocket-Accept: yes', 'X-Name: caf\u00e9'], firstBytes: 'welcome' };
    const { client, upgraded } = await switched({
      lines: [
        'Sec-WebSocket-Key: key',
        'Sec-WebSocket-Protocol: v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.aHVi',
        'Cookie: session=1',
        'X-Remote-User: root',
      ],
    });
    expect(client.head.split('\r\n')).to.include.members(['Sec-WebSocket-Accept: yes', 'X-Name: caf\u00e9']);
    expect(client.head)
      .to.match(/\r\nUpgrade: websocket\r\n/)
      .and.match(/\r\nConnection: Upgrade\r\n/);
    expect(await client.said('welcome')).to.equal('welcome');
    expect([upgraded.request.method, upgraded.request.url]).to.deep.equal(['GET', EXEC]);
    expect(identityIn(upgraded.rawHeaders)).to.deep.equal(ALICE);
    expect(valuesOf(upgraded.rawHeaders, 'sec-websocket-protocol')).to.deep.equal(['v5.channel.k8s.io']);
    expect(valuesOf(upgraded.rawHeaders, 'connection')).to.deep.equal(['Upgrade']);
    expect(path.gateway.reviewed.access.map(({ verb }) => verb)).to.deep.equal(['create']);
    client.reset();
  });

  for (const [method, protocol] of [
    ['GET', 'websocket'],
    ['POST', 'SPDY/3.1'],
  ] as const) {
    it(`carries 10 MB each way at once over ${protocol}`, async () => {
      const [up, down] = [randomBytes(10 * MEBIBYTE), randomBytes(10 * MEBIBYTE)];
      const { client, upgraded } = await switched({ method, protocol });
      upgraded.keepsBytes = false;
      await Promise.all([pour(client.socket, up), upgraded.write(down).then(() => upgraded.end())]);
      await until(() => client.hasEnded && upgraded.hasEnded);
      expect(upgraded.sha256()).to.equal(createHash('sha256').update(up).digest('hex'));
      expect(createHash('sha256').update(bytesOf(client.text)).digest('hex')).to.equal(
        createHash('sha256').update(down).digest('hex'),
      );
      await until(() => client.isClosed && upgraded.isClosed);
    });
  }

  it('carries an exec of real WebSockets: stdin, stdout and the closing handshake', async () => {
    const door = new WebSocketServer({ noServer: true, handleProtocols: () => 'v5.channel.k8s.io' });
    path.upstream.script = {
      instead: '',
      run: ({ request }) => {
        door.handleUpgrade(request, request.socket, Buffer.alloc(0), (shell) => {
          shell.send(Buffer.from('\x01$ '));
          shell.on('message', (line) => shell.send(Buffer.concat([Buffer.from('\x01'), line as Buffer])));
        });
      },
    };
    const { url, ca } = path.gateway;
    const terminal = new WebSocket(`${url}/clusters/c1${EXEC}`, ['v5.channel.k8s.io'], {
      ca,
      headers: { authorization: 'Bearer alice' },
    });
    const heard: string[] = [];
    terminal.on('message', (message) => heard.push(String(message)));
    await until(() => heard.length === 1);
    expect(terminal.protocol).to.equal('v5.channel.k8s.io');
    for (let at = 0; at < 10; at++) {
      terminal.send(`echo ${at}`);
      await until(() => heard.length === at + 2);
    }
    expect(heard.at(-1)).to.equal('\x01echo 9');
    terminal.close(1000, 'exit');
    const [code] = await once(terminal, 'close');
    expect(code).to.equal(1000);
  });

  it('lets the client end first: the API server still answers', async () => {
    const { client, upgraded } = await switched();
    client.socket.end('stdin is over');
    await until(() => upgraded.hasEnded);
    expect(upgraded.text).to.equal('stdin is over');
    await upgraded.write('and here is stdout');
    await client.said('and here is stdout');
    expect([client.hasEnded, upgraded.isClosed]).to.deep.equal([false, false]);
    upgraded.end();
    await until(() => client.isClosed && upgraded.isClosed);
  });

  it('lets the API server end first: the client still speaks', async () => {
    const { client, upgraded } = await switched();
    await upgraded.write('bye');
    upgraded.end();
    await until(() => client.hasEnded);
    expect(client.text).to.equal('bye');
    client.socket.end('one more thing');
    await until(() => upgraded.isClosed);
    expect(upgraded.text).to.equal('one more thing');
  });

  it('keeps what the client sends ahead of the 101 until it is there', async () => {
    path.upstream.script = { instead: '' };
    const asked = path.upgrade({ method: 'POST', protocol: 'SPDY/3.1', lines: ['', 'early bytes'] });
    const upgraded = await path.upstream.upgraded();
    await turns(100);
    expect(upgraded.receivedBytes).to.equal(0);
    upgraded.switchTo({});
    const client = await asked;
    await until(() => upgraded.text === 'early bytes\r\n\r\n');
    client.reset();
  });

  it('holds the API server up while the client does not read, without an end of time', async () => {
    const bytes = randomBytes(48 * MEBIBYTE);
    const { client, upgraded } = await switched();
    client.socket.pause();
    let isPoured = false;
    const poured = upgraded.write(bytes).then(() => {
      isPoured = true;
    });
    for (let minute = 0; minute < 10; minute++) await path.gateway.pass(60_000);
    expect(isPoured).to.equal(false);
    expect(path.agent.budget.usedBytes).to.be.at.most(8 * MEBIBYTE);
    expect(path.gateway.counts.bufferedBytes).to.be.at.most(8 * MEBIBYTE);
    client.socket.resume();
    await poured;
    upgraded.end();
    await until(() => client.hasEnded);
    expect(bytesOf(client.text).equals(bytes)).to.equal(true);
    client.reset();
  });

  it('relays a 403 as an ordinary answer, and ends the connection', async () => {
    const body = '{"kind":"Status","code":403}';
    path.upstream.script = {
      instead: `HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    };
    const client = await path.upgrade({ lines: ['', 'GET /clusters/c1/api/v1/secrets HTTP/1.1', 'Host: g'] });
    await closed(client);
    expect(client.head)
      .to.match(/^HTTP\/1\.1 403 /)
      .and.match(/connection: close/i);
    expect(client.text).to.equal(body);
    const upgraded = await path.upstream.upgraded();
    expect(upgraded.receivedBytes).to.equal(0);
    expect(path.upstream.received).to.deep.equal([]);
  });

  for (const [what, instead] of [
    ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n'],
    ['a redirect', 'HTTP/1.1 302 Found\r\nLocation: https://evil/\r\nContent-Length: 0\r\n\r\n'],
  ] as const) {
    it(`answers 502 when the API server answers with ${what}`, async () => {
      path.upstream.script = { instead };
      const client = await path.upgrade();
      await closed(client);
      expect(client.head).to.match(/^HTTP\/1\.1 502 /);
      expect(client.text).to.include('upstream_protocol');
    });
  }

  it('answers 503 when the API server cannot be reached', async () => {
    path.agent.upstream.reconfigure({ ca: path.gateway.ca });
    const client = await path.upgrade();
    await closed(client);
    expect(client.head)
      .to.match(/^HTTP\/1\.1 503 /)
      .and.match(/retry-after: 2/i);
    expect(client.text).to.include('upstream_unreachable');
  });

  describe('somebody goes away in the middle', () => {
    it('the client: the API server hears at once', async () => {
      path.upstream.script = { run: echo };
      const { client, upgraded } = await switched();
      client.write('hello');
      await client.said('hello');
      client.reset();
      await until(() => upgraded.hasEnded);
    });

    it('the client, before there is an answer', async () => {
      path.upstream.script = { instead: '' };
      const client = await path.gateway.raw('http/1.1', { allowHalfOpen: true });
      client.write(upgradeRequest({}));
      const upgraded = await path.upstream.upgraded();
      client.reset();
      await until(() => upgraded.hasEnded);
    });

    it('the API server: the client is cut', async () => {
      const { client, upgraded } = await switched();
      await upgraded.write('half');
      await client.said('half');
      path.upstream.break(upgraded);
      await closed(client);
    });

    it('the agent: client and API server are cut; the next session serves again', async () => {
      const { client, upgraded } = await switched();
      path.sever();
      await until(() => upgraded.hasEnded && client.hasEnded && path.gateway.counts.connections === 0);
      client.reset();
      await path.quiet();
      await path.connect();
      path.upstream.script = { run: echo };
      const again = await switched();
      again.client.write('back again');
      await again.client.said('back again');
      again.client.reset();
    });
  });

  it('opens and ends many at once, and leaves nothing', async () => {
    path.upstream.script = { run: echo };
    const clients = await Promise.all(Array.from({ length: 8 }, () => path.upgrade()));
    for (const [at, client] of clients.entries()) client.socket.end(`hello ${at}`);
    await until(() => clients.every((client) => client.isClosed));
    expect(clients.map(({ text }) => text)).to.deep.equal(clients.map((_, at) => `hello ${at}`));
    await path.quiet();
    expect(path.agent.upstream.connections).to.equal(0);
  });
});
