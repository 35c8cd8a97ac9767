import { createHash } from 'node:crypto';
import { Agent } from 'undici';
import type { TlsMaterial } from './credentials.ts';

/** Two pools to one API server: calls share few connections; each watch holds one of its own. */
export interface Dispatchers {
  readonly calls: Agent;
  readonly streams: Agent;
}

/** Source: client-go's default dialer, and client-node's "match client-go". */
const TCP_KEEP_ALIVE_DELAY_MS = 30_000;
const CONNECT_TIMEOUT_MS = 10_000;
const IDLE_CONNECTION_MS = 60_000;
/** A page of 500 objects of 64 KiB. Beyond it something is wrong, and memory is finite. */
const MAX_RESPONSE_BYTES = 64 * 2 ** 20;

/** Hands out the pools for the TLS material of the moment; a rotated CA or certificate makes new ones. */
export class DispatcherCache {
  readonly #maxConnections: number;
  #key = '';
  #current: Dispatchers | undefined;

  constructor(maxConnections: number) {
    this.#maxConnections = maxConnections;
  }

  /** The pools for this TLS material. Those for older material close once their calls have ended. */
  for(tls: TlsMaterial): Dispatchers {
    const key = keyOf(tls);
    if (this.#current !== undefined && key === this.#key) return this.#current;
    const old = this.#current;
    this.#key = key;
    this.#current = this.#open(tls);
    // Its calls end by their own deadlines; a failure to close an old pool concerns nobody.
    if (old !== undefined) void Promise.allSettled([old.calls.close(), old.streams.close()]);
    return this.#current;
  }

  /** Ends every connection now. */
  async close(): Promise<void> {
    const { calls, streams } = this.#current ?? {};
    this.#current = undefined;
    await Promise.all([calls?.destroy(), streams?.destroy()]);
  }

  #open(tls: TlsMaterial): Dispatchers {
    const shared = {
      connect: {
        ...(tls.ca === undefined ? {} : { ca: tls.ca }),
        ...(tls.cert === undefined ? {} : { cert: tls.cert }),
        ...(tls.key === undefined ? {} : { key: tls.key }),
        ...(tls.servername === undefined ? {} : { servername: tls.servername }),
        rejectUnauthorized: tls.rejectUnauthorized,
        keepAliveInitialDelay: TCP_KEEP_ALIVE_DELAY_MS,
        timeout: CONNECT_TIMEOUT_MS,
      },
      keepAliveTimeout: IDLE_CONNECTION_MS,
      pipelining: 1,
    };
    return {
      calls: new Agent({ ...shared, connections: this.#maxConnections, maxResponseSize: MAX_RESPONSE_BYTES }),
      streams: new Agent({ ...shared, bodyTimeout: 0 }),
    };
  }
}

function keyOf(tls: TlsMaterial): string {
  const hash = createHash('sha256');
  for (const part of [tls.ca, tls.cert, tls.key, tls.servername, String(tls.rejectUnauthorized)]) {
    hash.update(part ?? '').update('\0');
  }
  return hash.digest('hex');
}
