import { connect, createServer, type Server, type Socket } from 'node:net';
import type { ApiClient } from './api/client.ts';
import type { Service } from './api/objects.ts';
import type { Pod } from './api/pod.ts';
import { Reflector } from './api/reflector.ts';
import { type Endpoint, readyEndpoints } from './service-endpoints.ts';

export interface ServiceForwardOptions {
  readonly client: ApiClient;
  readonly namespace: string;
  readonly service: string;
  /** Of the Service: its name or number. */
  readonly servicePort: string | number;
  /** An address of this machine. */
  readonly listenHost: string;
  readonly listenPort: number;
}

const CONNECT_TIMEOUT_MS = 2_000;

/** A fixed address of this machine for a Service of the cluster: raw TCP to its ready pods in turn. A reset means: none is ready. */
export class ServiceForward {
  readonly #options: ServiceForwardOptions;
  readonly #services: Reflector<Service>;
  readonly #pods: Reflector<Pod>;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #turn = 0;

  constructor(options: ServiceForwardOptions) {
    const { client, namespace, service } = options;
    this.#options = options;
    const path = `/api/v1/namespaces/${namespace}`;
    this.#services = new Reflector({
      client,
      path: `${path}/services`,
      query: `fieldSelector=metadata.name%3D${service}`,
    });
    this.#pods = new Reflector({ client, path: `${path}/pods` });
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
  }

  /** Listens; the Service may come later. */
  async start(): Promise<void> {
    this.#services.start();
    this.#pods.start();
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host: this.#options.listenHost, port: this.#options.listenPort }, resolve);
    });
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all([closed, this.#services.stop(), this.#pods.stop()]);
  }

  /** Where connections go now. */
  endpoints(): Endpoint[] {
    const { namespace, service, servicePort } = this.#options;
    return readyEndpoints(this.#services.get(namespace, service), servicePort, this.#pods.items());
  }

  #accept(client: Socket): void {
    this.#track(client);
    const endpoints = this.endpoints();
    const first = this.#turn++ % Math.max(endpoints.length, 1);
    this.#connect(client, [...endpoints.slice(first), ...endpoints.slice(0, first)]);
  }

  /** Tries one endpoint after the other: a pod may have ended a moment ago. */
  #connect(client: Socket, [endpoint, ...others]: readonly Endpoint[]): void {
    if (client.destroyed) return;
    if (endpoint === undefined) return void client.resetAndDestroy();
    const upstream = connect({ ...endpoint, allowHalfOpen: true, noDelay: true });
    this.#track(upstream);
    const next = (): void => {
      upstream.destroy();
      this.#connect(client, others);
    };
    upstream.setTimeout(CONNECT_TIMEOUT_MS, next);
    upstream.once('error', next);
    upstream.once('connect', () => {
      upstream.setTimeout(0);
      upstream.off('error', next);
      join(client, upstream);
    });
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {}); // join() and next() act on it; a client that leaves early is nobody's business
    socket.once('close', () => this.#sockets.delete(socket));
  }
}

/** Two sockets as one connection: bytes and half-closes pass, an abrupt end of one is an abrupt end of the other. */
function join(client: Socket, upstream: Socket): void {
  const bind = (from: Socket, to: Socket): void => {
    from.pipe(to);
    from.once('close', () => {
      if (!from.readableEnded || from.errored) to.resetAndDestroy();
    });
  };
  bind(client, upstream);
  bind(upstream, client);
  if (client.destroyed) upstream.destroy();
}
