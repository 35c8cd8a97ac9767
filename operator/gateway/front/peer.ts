import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { ClientRequest } from './answer.ts';

/** The other end of a client's connection. */
export interface Peer {
  /** IP address; of a load balancer, if one stands between and hides it. Empty when the connection is gone. */
  readonly address: string;
  /** What TLS was shown, and that its key is the client's; by whom it is signed is not said. The same object for one connection. */
  readonly certificate: X509Certificate | undefined;
}

const NOBODY: Peer = { address: '', certificate: undefined };

/** By connection: an HTTP/2 session, or a socket. */
const peers = new WeakMap<object, Peer>();

/** Who is at the other end of a request's connection. */
export function peerOf(request: ClientRequest): Peer {
  try {
    // HTTP/2's `request.socket` is another object for each request.
    const connection = 'stream' in request ? (request.stream.session ?? request.stream) : request.socket;
    const known = peers.get(connection);
    if (known !== undefined) return known;
    const socket = request.socket as TLSSocket;
    const peer = { address: socket.remoteAddress ?? '', certificate: socket.getPeerX509Certificate() };
    peers.set(connection, peer);
    return peer;
  } catch {
    // HTTP/2 through Node throws when the connection is gone: nobody will read the answer.
    return NOBODY;
  }
}
