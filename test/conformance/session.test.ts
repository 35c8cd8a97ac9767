import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { WebSocket, WebSocketServer } from 'ws';
import { WEBSOCKET_OPTIONS, websocketTransport } from '../../tunnel/session/websocket.ts';
import { ErrorCode } from '../../tunnel/wire/codes.ts';
import { transportPair, turn, turnsUntil } from '../support/transport-pair.ts';
import { expectNothingLeft, GatewayEnd, HELLO, type Line } from './harness.ts';
import { sessionConformance } from './session.ts';

async function memoryLine(): Promise<Line> {
  const pair = transportPair();
  return {
    gateway: pair.left,
    agent: pair.right,
    settle: () => pair.settle(),
    drop: () => pair.drop(),
  };
}

describe('conformance/session', () => {
  let server: WebSocketServer;
  const sockets: WebSocket[] = [];

  before((done) => {
    server = new WebSocketServer({ host: '127.0.0.1', port: 0, ...WEBSOCKET_OPTIONS }, done);
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.terminate();
  });
  after((done) => {
    server.close(done);
  });

  /** Two ends of one WebSocket on loopback. */
  async function connected(): Promise<{ near: WebSocket; far: WebSocket }> {
    const { port } = server.address() as AddressInfo;
    const near = new WebSocket(`ws://127.0.0.1:${port}`, WEBSOCKET_OPTIONS);
    const [far] = await Promise.all([
      new Promise<WebSocket>((resolve) => server.once('connection', resolve)),
      new Promise((resolve) => near.once('open', resolve)),
    ]);
    sockets.push(near, far);
    return { near, far };
  }

  async function websocketLine(): Promise<Line> {
    const { near, far } = await connected();
    return {
      gateway: websocketTransport(far),
      agent: websocketTransport(near),
      settle: () => settled(near, far),
      drop: () => {
        near.terminate();
        far.terminate();
      },
    };
  }

  sessionConformance({ name: 'an in-memory pair', pair: memoryLine });
  sessionConformance({ name: 'ws on loopback', pair: websocketLine });

  it('says goodbye in at most 123 bytes, cut between characters', async () => {
    const { near, far } = await connected();
    const said = new Promise<string>((resolve) =>
      near.once('close', (_code, reason) => resolve(reason.toString('utf8'))),
    );
    websocketTransport(far).close('é'.repeat(200));
    expect(await said).to.equal('é'.repeat(61));
  });

  it('tells of bytes before their message is whole', async () => {
    const { near, far } = await connected();
    const told = new Promise<string>((resolve) => {
      const onBytes = () => resolve('bytes');
      const onMessage = () => resolve('a message');
      websocketTransport(far).listen({ onBytes, onMessage, onViolation: resolve, onClose: resolve });
    });
    near.send(Buffer.alloc(1), { binary: true, fin: false });
    expect(await told).to.equal('bytes');
  });

  describe('a peer that misuses the WebSocket', () => {
    it('ends the session over a text message', async () => {
      const { near, far } = await connected();
      const gateway = new GatewayEnd(websocketTransport(far));
      near.send(JSON.stringify(HELLO));
      await settled(near, far);
      expect(gateway.end).to.deep.equal({ code: ErrorCode.Protocol, reason: 'PROTOCOL: the peer sent a text message' });
      expectNothingLeft(gateway);
    });

    it('ends the session over a message longer than any writer packs', async () => {
      const { near, far } = await connected();
      const gateway = new GatewayEnd(websocketTransport(far));
      near.on('error', () => {});
      near.send(Buffer.alloc(WEBSOCKET_OPTIONS.maxPayload + 1));
      await settled(near, far);
      expect(gateway.end.code).to.equal(ErrorCode.Protocol);
      expect(gateway.end.reason).to.match(/payload size/);
      expectNothingLeft(gateway);
    });
  });
});

/**
 * Resolves once both directions are at rest: a WebSocket PING comes back only after all that was sent before it
 * was delivered, and so does its answer; a few rounds without news are the end of a conversation.
 */
async function settled(near: WebSocket, far: WebSocket): Promise<void> {
  let news = 0;
  const count = () => {
    news += 1;
  };
  for (const socket of [near, far]) socket.on('message', count);
  for (let quiet = 0; quiet < 3; ) {
    const before = news;
    await Promise.all([echo(near), echo(far)]);
    await turn();
    quiet = news === before ? quiet + 1 : 0;
  }
  for (const socket of [near, far]) socket.off('message', count);
  const isResting = (socket: WebSocket) =>
    socket.readyState === WebSocket.OPEN || socket.readyState === WebSocket.CLOSED;
  await turnsUntil(() => isResting(near) && isResting(far));
}

function echo(socket: WebSocket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.readyState !== WebSocket.OPEN) return resolve();
    const done = () => {
      socket.off('pong', done);
      socket.off('close', done);
      resolve();
    };
    socket.on('pong', done);
    socket.on('close', done);
    socket.ping();
  });
}
