import type { TLSSocket } from 'node:tls';
import type { ClientRequest } from './answer.ts';

/** The other end of a client's connection. */
export interface Peer {
  /** IP address; of a load balancer, if one stands between and hides it. Empty when the connection is gone. */
  readonly address: string;
}

/** Who is at the other end of a request's connection. */
export function peerOf(request: Pick<ClientRequest, 'socket'>): Peer {
  try {
    const socket = request.socket as TLSSocket;
    return { address: socket.remoteAddress ?? '' };
  } catch {
    // HTTP/2 through Node throws when the connection is gone: nobody will read the answer.
    return { address: '' };
  }
}
