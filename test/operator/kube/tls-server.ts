import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';
import { Authority } from '../../../hack/lab/cluster/certificates.ts';
import { createTransport, type Transport, type TransportLimits } from '../../../operator/kube/transport.ts';
import { systemClock } from '../../../process/clock.ts';

/** A local HTTPS server with a CA of its own, and a transport to it. */
export interface TlsServer {
  readonly transport: Transport;
  /** Connections accepted so far. */
  readonly connections: () => number;
  readonly openConnections: () => number;
  readonly requests: IncomingMessage[];
  close(): Promise<void>;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Serves every request with `handle`; `limits` are the transport's. */
export async function tlsServer(handle: Handler, limits: Partial<TransportLimits> = {}): Promise<TlsServer> {
  const authority = await Authority.create('test');
  const { certificatePem, keyPem } = await authority.server('localhost', { dns: ['localhost'], ip: ['127.0.0.1'] });
  const requests: IncomingMessage[] = [];
  let connections = 0;
  const server = createServer({ cert: certificatePem, key: keyPem }, (request, response) => {
    requests.push(request);
    handle(request, response);
  });
  const open = new Set<Socket>();
  server.on('secureConnection', (socket: Socket) => {
    connections++;
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    {
      name: 'test',
      server: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
      caData: Buffer.from(authority.certificatePem).toString('base64'),
      skipTLSVerify: false,
    },
    { name: 'test', token: 'test-token' },
  );
  const transport = createTransport({ config, clock: systemClock, ...limits });
  return {
    transport,
    connections: () => connections,
    openConnections: () => open.size,
    requests,
    async close() {
      await transport.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
