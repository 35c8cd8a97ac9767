import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below the ephemeral range of Linux and macOS: no outgoing connection can take a port while its server restarts. */
const LOWEST = 20_000;
const HIGHEST = 32_000;

/** `count` distinct ports that nobody listens on at 127.0.0.1 right now. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  for (let attempt = 0; ports.size < count; attempt++) {
    if (attempt > 1_000) throw new Error(`No ${count} free ports between ${LOWEST} and ${HIGHEST} on 127.0.0.1.`);
    const port = randomInt(LOWEST, HIGHEST);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
