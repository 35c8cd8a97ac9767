import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { Authority } from '../../hack/lab/cluster/certificates.ts';
import { SUBPROTOCOL } from '../../tunnel/session/settings.ts';
import { WEBSOCKET_OPTIONS, websocketTransport } from '../../tunnel/session/websocket.ts';
import { GatewayEnd } from '../conformance/harness.ts';

/** A gateway's agents' door: real TLS and WebSocket, sessions that a test drives. */
export class StubGateway {
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();
  readonly #door = new WebSocketServer({ ...WEBSOCKET_OPTIONS, noServer: true, handleProtocols: () => SUBPROTOCOL });
  readonly ca: string;
  /** Upgrade requests, as they came. */
  readonly requests: IncomingMessage[] = [];
  readonly ends: GatewayEnd[] = [];
  /** Bytes that arrived inside TLS, on any connection. */
  receivedBytes = 0;
  /** TCP connections that were made. */
  connections = 0;
  /** What agents are told instead of being let in. */
  refusal: { readonly status: number; readonly body: string } | undefined;

  private constructor(server: Server, ca: string) {
    this.#server = server;
    this.ca = ca;
    server.on('connection', (socket) => {
      this.connections += 1;
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('secureConnection', (socket) => {
      socket.prependListener('data', (chunk: Buffer) => {
        this.receivedBytes += chunk.length;
      });
      socket.on('error', () => {});
    });
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  static async start(names: readonly string[] = ['127.0.0.1']): Promise<StubGateway> {
    const authority = await Authority.create('stub gateway');
    const pair = await authority.server('gateway', { dns: ['localhost'], ip: names });
    const server = createServer({ key: pair.keyPem, cert: pair.certificatePem });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new StubGateway(server, authority.certificatePem);
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get last(): GatewayEnd {
    const end = this.ends.at(-1);
    if (end === undefined) throw new Error('no session');
    return end;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.requests.push(request);
    if (this.refusal !== undefined) {
      const { status, body } = this.refusal;
      socket.end(
        `HTTP/1.1 ${status} No\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
      );
      return;
    }
    this.#door.handleUpgrade(request, socket, head, (webSocket) => {
      this.ends.push(new GatewayEnd(websocketTransport(webSocket)));
    });
  }
}
