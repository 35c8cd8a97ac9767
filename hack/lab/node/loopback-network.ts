import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { AddressPool } from './address-pool.ts';

/** Where pods get their addresses from. */
export interface PodNetwork {
  /** As a person would write it. */
  readonly range: string;
  /** What does not work, where it does not. */
  readonly limitation: string | undefined;
  take(): string;
  release(address: string): void;
  close(): Promise<void>;
}

/** Who listens here owns the /16: the system frees it with the process, however that ends. */
const CLAIM_PORT = 19_999;
const LOWEST = 16;
const HIGHEST = 254;

/** A /16 of 127.0.0.0/8 that no other cluster on this machine uses, the same one for the same `seed` when it is free. */
export async function claimNetwork(seed: string): Promise<PodNetwork> {
  const count = HIGHEST - LOWEST + 1;
  const start = createHash('sha256').update(seed).digest().readUInt16BE(0);
  for (let step = 0; step < count; step++) {
    const network = LOWEST + ((start + step) % count);
    const claim = await listenOn(`127.${network}.0.1`);
    if (claim === 'no such address') return singleAddress();
    if (claim === 'taken') continue;
    const pool = new AddressPool(network);
    return {
      range: `127.${network}.0.0/16`,
      limitation: undefined,
      take: () => pool.take(),
      release: (address) => pool.release(address),
      close: () => new Promise((resolve) => claim.close(() => resolve())),
    };
  }
  throw new Error(`All ${count} pod networks of this machine are in use: stop a lab.`);
}

function singleAddress(): PodNetwork {
  return {
    range: '127.0.0.1',
    limitation:
      'this system has only 127.0.0.1 as a loopback address: all pods share it, so two pods that listen on the same port (two replicas, or two agents) cannot run at once',
    take: () => '127.0.0.1',
    release: () => {},
    close: () => Promise.resolve(),
  };
}

function listenOn(host: string): Promise<Server | 'taken' | 'no such address'> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve('taken');
      else if (error.code === 'EADDRNOTAVAIL') resolve('no such address');
      else reject(error);
    });
    server.listen({ host, port: CLAIM_PORT, exclusive: true }, () => resolve(server));
  });
}
