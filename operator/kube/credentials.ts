import type { RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import type { Clock } from '../../process/clock.ts';

/** What TLS to one API server needs. */
export interface TlsMaterial {
  readonly ca: string | Buffer | undefined;
  readonly cert: string | Buffer | undefined;
  readonly key: string | Buffer | undefined;
  readonly servername: string | undefined;
  readonly rejectUnauthorized: boolean;
}

export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsMaterial;
}

/** Credentials as of now; `renew` forgets what is cached (after a 401). */
export interface CredentialSource {
  readonly server: string;
  current(): Promise<Credentials>;
  renew(): void;
}

/** Files, exec plugins and rotated tokens are looked at again after this long. */
const REFRESH_MS = 30_000;

/** Credentials of the current context, re-read now and then: client-node reads files synchronously on every call. */
export function credentialSource(config: KubeConfig, clock: Clock): CredentialSource {
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error('the kubeconfig has no current cluster');
  if (cluster.proxyUrl !== undefined) throw new Error('proxy-url in a kubeconfig is not supported');
  let cached: { readonly atMs: number; readonly credentials: Promise<Credentials> } | undefined;
  return {
    server: cluster.server.replace(/\/+$/, ''),
    current() {
      if (cached === undefined || clock.nowMs() - cached.atMs > REFRESH_MS) {
        const credentials = read(config);
        cached = { atMs: clock.nowMs(), credentials };
        credentials.catch(() => {
          cached = undefined;
        });
      }
      return cached.credentials;
    },
    renew() {
      cached = undefined;
    },
  };
}

async function read(config: KubeConfig): Promise<Credentials> {
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    // A token file may end in a newline, which is no header.
    if (typeof value === 'string') headers[name.toLowerCase()] = value.trim();
  }
  if (typeof options.auth === 'string') {
    headers['authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  }
  return {
    headers,
    tls: {
      ca: options.ca as string | Buffer | undefined,
      cert: options.cert as string | Buffer | undefined,
      key: options.key as string | Buffer | undefined,
      servername: options.servername,
      rejectUnauthorized: options.rejectUnauthorized ?? true,
    },
  };
}
