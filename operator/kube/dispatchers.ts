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
const IDLE_CONNECTION_MS = 60_000;

/** What one API server may cost. */
export interface ConnectionLimits {
  /** Connections that calls share; watches have their own. */
  readonly maxConnections: number;
  /** Until TCP and TLS are ready. */
  readonly connectTimeoutMs: number;
  /** Body of one answer; streams are not measured. */
  readonly maxResponseBytes: number;
}

/** Hands out the pools for the TLS material of the moment; a rotated CA or certificate makes new ones. */
export class DispatcherCache {
  readonly #limits: ConnectionLimits;
  #key = '';
  #current: Dispatchers | undefined;
  #isClosed = false;

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  /**
   * The pools for this TLS material. Those for older material close once their calls have ended.
   * @throws Error after close(): a retry must not open what was closed.
   */
  for(tls: TlsMaterial): Dispatchers {
    if (this.#isClosed) throw new Error('the client is closed');
    const key = keyOf(tls);
    if (this.#current !== undefined && key === this.#key) return this.#current;
    const old = this.#current;
    this.#key = key;
    this.#current = this.#open(tls);
    // Its calls end by their own deadlines; a failure to close an old pool concerns nobody.
    if (old !== undefined) void Promise.allSettled([old.calls.close(), old.streams.close()]);
    return this.#current;
  }

  /** Ends every connection now, for good. */
  async close(): Promise<void> {
    this.#isClosed = true;
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
        timeout: this.#limits.connectTimeoutMs,
      },
      keepAliveTimeout: IDLE_CONNECTION_MS,
      pipelining: 1,
    };
    const { maxConnections, maxResponseBytes } = this.#limits;
    return {
      calls: new Agent({ ...shared, connections: maxConnections, maxResponseSize: maxResponseBytes }),
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
