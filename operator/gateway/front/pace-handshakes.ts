import type { Server, Socket } from 'node:net';

/** TLS handshakes that begin in one turn of the event loop: each costs a signature, about a millisecond. */
const A_TURN = 4;

/**
 * Lets TLS begin on a few new connections at a time, whoever's they are: hundreds that come at once must not stand before
 * the requests of those who are there. Nobody is refused. Call it before other listeners are added.
 */
export function paceHandshakes(server: Server): void {
  const begin = server.listeners('connection');
  const waiting: Socket[] = [];
  let isPacing = false;
  const some = () => {
    for (let count = 0; count < A_TURN; ) {
      const socket = waiting.shift();
      if (socket === undefined) {
        isPacing = false;
        return;
      }
      socket.removeListener('error', ignore);
      if (socket.destroyed) continue;
      count += 1;
      for (const listener of begin) listener.call(server, socket);
    }
    setImmediate(some);
  };
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    // It may break before TLS listens.
    socket.on('error', ignore);
    waiting.push(socket);
    if (!isPacing) {
      isPacing = true;
      setImmediate(some);
    }
  });
}

function ignore(): void {
  // 'close' says the rest.
}
