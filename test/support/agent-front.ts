import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { Authority } from '../../hack/lab/cluster/certificates.ts';
import { pause } from '../../hack/lab/pause.ts';
import { CONNECT_PATH, SUBPROTOCOL } from '../../tunnel/session/settings.ts';
import { WEBSOCKET_OPTIONS } from '../../tunnel/session/websocket.ts';
import { ErrorCode, FrameType } from '../../tunnel/wire/codes.ts';
import { encode, packMessage } from '../../tunnel/wire/encode.ts';
import type { GatewayAddress } from './played-target.ts';
import { turns } from './turns.ts';

/** What becomes of an attempt to connect. */
export type Fate =
  | 'passes'
  /** Reset as soon as TCP has accepted it. */
  | 'reset'
  /** Closed during TLS. */
  | 'closed'
  /** Nobody answers, for ever. */
  | 'unanswered'
  | 'answered with 503'
  | 'answered with 401'
  | 'answered with garbage'
  /** Upgraded, then reset. */
  | 'upgraded and reset'
  /** Upgraded, then closed as WebSocket says. */
  | 'upgraded and closed'
  /** Upgraded, and told to go before a welcome. */
  | 'upgraded and sent away'
  /** Upgraded, and never welcomed. */
  | 'upgraded and left alone';

/** Each attempt takes at least this long: a second one that is made meanwhile meets it. */
const HOLD_MS = 150;
/** Ends and beginnings of one batch of the event loop are told in any order. */
const SETTLING_TURNS = 20;
/** Of a frame: behind its length. */
const TYPE_OFFSET = 3;

/** One connection of the agent, from TCP's accept on. */
interface Attempt {
  readonly socket: Socket;
  readonly fate: Fate;
  /** Neither closed nor welcomed. */
  isUnderWay: boolean;
}

/** One welcomed agent and its gateway. */
export class Link {
  readonly #socket: Socket;
  readonly #agent: WebSocket;
  readonly #gateway: WebSocket;
  isSilent = false;
  readonly #held: (() => void)[] = [];

  constructor(socket: Socket, agent: WebSocket, gateway: WebSocket) {
    this.#socket = socket;
    this.#agent = agent;
    this.#gateway = gateway;
  }

  get isOpen(): boolean {
    return this.#agent.readyState === WebSocket.OPEN;
  }

  /** Runs what passes a message on: now, or after the silence. */
  pass(run: () => void): void {
    if (this.isSilent) this.#held.push(run);
    else run();
  }

  /** The network swallows everything, both ways, and tells nobody. */
  silence(): void {
    this.isSilent = true;
  }

  /** What was swallowed comes late. */
  release(): void {
    this.isSilent = false;
    for (const run of this.#held.splice(0)) run();
  }

  /** The gateway says that it leaves. */
  goaway(code: ErrorCode): void {
    const document = { lastStreamId: 0, code, reason: 'told to' };
    this.#agent.send(packMessage([encode({ type: FrameType.Goaway, document })]));
  }

  text(): void {
    this.#agent.send('no frame');
  }

  garbage(): void {
    this.#agent.send(Buffer.alloc(64, 0xff));
  }

  close(): void {
    this.#agent.close(1001, 'going away');
  }

  /** Bytes that are no WebSocket, inside TLS. */
  noise(): void {
    const { _socket: tls } = this.#agent as unknown as { _socket: Socket | null };
    tls?.write(Buffer.alloc(64, 0xff));
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Node cannot reset a connection while it is being ended: it would stay open for ever. */
  reset(): void {
    if (this.#socket.writableEnded) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  /** The gateway's end breaks. */
  dropGateway(): void {
    this.#gateway.terminate();
  }
}

/**
 * Between an agent and its gateway: ends the agent's TLS with a certificate of its own, passes WebSocket messages on, and
 * does to the agent what networks and gateways do. Counts the attempts to connect that are under way at once.
 */
export class AgentFront {
  readonly ca: string;
  readonly #server: Server;
  /** Hears of connections that are not given up before TLS. */
  readonly #https: HttpsServer;
  readonly #gateway: GatewayAddress;
  readonly #door = new WebSocketServer({ ...WEBSOCKET_OPTIONS, noServer: true, handleProtocols: () => SUBPROTOCOL });
  readonly #attempts = new Set<Attempt>();
  /** What becomes of the next attempts, one each; those beyond pass. */
  readonly fates: Fate[] = [];
  /** What became of all so far. */
  readonly past: Fate[] = [];
  readonly links: Link[] = [];
  /** Attempts under way at once, at most. */
  most = 0;

  private constructor(server: Server, https: HttpsServer, ca: string, gateway: GatewayAddress) {
    this.#server = server;
    this.#https = https;
    this.ca = ca;
    this.#gateway = gateway;
    server.on('connection', (socket) => this.#accept(socket));
    https.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket as Socket, head));
    https.on('tlsClientError', () => {}); // a TLS that the agent gave up
  }

  static async open(gateway: GatewayAddress): Promise<AgentFront> {
    const authority = await Authority.create('front CA');
    const pair = await authority.server('front', { dns: ['localhost'], ip: ['127.0.0.1'] });
    const https = createHttpsServer({ key: pair.keyPem, cert: pair.certificatePem });
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new AgentFront(server, https, authority.certificatePem, gateway);
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Welcomed connections that are open. */
  get open(): Link[] {
    return this.links.filter(({ isOpen }) => isOpen);
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const { socket } of this.#attempts) socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    const attempt: Attempt = { socket, fate: this.fates.shift() ?? 'passes', isUnderWay: true };
    this.past.push(attempt.fate);
    this.#attempts.add(attempt);
    socket.on('error', () => {}); // what this is about
    socket.once('close', () => {
      attempt.isUnderWay = false;
      this.#attempts.delete(attempt);
    });
    void this.#count();
    if (attempt.fate === 'reset') socket.resetAndDestroy();
    else if (attempt.fate === 'closed') socket.once('data', () => socket.destroy());
    else if (attempt.fate === 'unanswered') socket.resume();
    else this.#https.emit('connection', socket);
  }

  /** An attempt that ended just before this one began may not have been heard of yet. */
  async #count(): Promise<void> {
    await turns(SETTLING_TURNS);
    const underWay = [...this.#attempts].filter(({ isUnderWay }) => isUnderWay).length;
    this.most = Math.max(this.most, underWay);
  }

  async #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    socket.on('error', () => {}); // likewise
    const attempt = [...this.#attempts].find(({ socket: { remotePort } }) => remotePort === socket.remotePort);
    if (attempt === undefined) return; // it is gone already
    await pause(HOLD_MS);
    const { fate } = attempt;
    if (fate === 'answered with garbage') return void socket.end('this is no HTTP\r\n\r\n');
    if (fate.startsWith('answered with ')) return refuse(socket, fate.slice(-3));
    if (fate.startsWith('upgraded')) return this.#disappoint(attempt, { request, socket, head });
    const gateway = await this.#dial(request);
    if (gateway === undefined) return refuse(socket, '502');
    if (!attempt.isUnderWay) return gateway.terminate();
    this.#door.handleUpgrade(request, socket, head, (agent) => this.#link(attempt, agent, gateway));
  }

  #disappoint({ fate, socket: tcp }: Attempt, { request, socket, head }: Upgrading): void {
    this.#door.handleUpgrade(request, socket, head, (agent) => {
      agent.on('error', () => {}); // likewise
      const link = new Link(tcp, agent, agent);
      if (fate === 'upgraded and reset') link.reset();
      if (fate === 'upgraded and closed') link.close();
      if (fate === 'upgraded and sent away') link.goaway(ErrorCode.Draining);
    });
  }

  /** The gateway's end of a link; undefined when it cannot be had. */
  async #dial({ headers }: IncomingMessage): Promise<WebSocket | undefined> {
    const { url, ca } = this.#gateway;
    const own = { ca, headers: { authorization: headers.authorization ?? '' } };
    const socket = new WebSocket(`${url.replace('https', 'wss')}${CONNECT_PATH}`, [SUBPROTOCOL], {
      ...WEBSOCKET_OPTIONS,
      ...own,
    });
    const failed = once(socket, 'close');
    socket.on('error', () => {}); // 'close' follows
    await Promise.race([once(socket, 'open').catch(() => {}), failed]);
    return socket.readyState === WebSocket.OPEN ? socket : undefined;
  }

  #link(attempt: Attempt, agent: WebSocket, gateway: WebSocket): void {
    const link = new Link(attempt.socket, agent, gateway);
    agent.on('error', () => {}); // 'close' follows
    agent.on('message', (data: Buffer) => link.pass(() => gateway.send(data)));
    gateway.on('message', (data: Buffer) => {
      link.pass(() => agent.send(data));
      if (data[TYPE_OFFSET] !== FrameType.Welcome) return;
      attempt.isUnderWay = false;
      this.links.push(link);
    });
    agent.once('close', () => link.pass(() => gateway.terminate()));
    gateway.once('close', () => link.pass(() => agent.terminate()));
  }
}

interface Upgrading {
  readonly request: IncomingMessage;
  readonly socket: Socket;
  readonly head: Buffer;
}

function refuse(socket: Socket, status: string): void {
  socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
}
