import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, pause } from '../process/clock.ts';

/** A rotated token is used after at most this. Source: client-go's cached file token source. */
const CACHE_MS = 60_000;
/** How often a file that does not exist yet is looked for. */
const LOOK_EVERY_MS = 1_000;
/** No header holds a longer token. */
const MAX_TOKEN_BYTES = 32 * 1024;
/** RFC 6750 §2.1: what can follow `Bearer `. */
const TOKEN = /^[A-Za-z0-9._~+/=-]+$/;

/** What the agent shows the gateway, and how it knows the gateway. */
export interface GatewayCredentials {
  readonly token: string;
  /** PEM of the only CA that may vouch for the gateway. */
  readonly ca: string;
}

export interface GatewayFiles {
  readonly tokenFile: string;
  readonly caFile: string;
}

/** Reads both files now: rotation rewrites them. @throws Error naming the file that cannot be used. */
export async function readGatewayCredentials({ tokenFile, caFile }: GatewayFiles): Promise<GatewayCredentials> {
  const [token, ca] = await Promise.all([readToken(tokenFile), readText(caFile)]);
  if (!ca.includes('-----BEGIN CERTIFICATE-----')) throw new Error(`${caFile} holds no PEM certificate`);
  return { token, ca };
}

/** Resolves once all files exist; `onMissing` hears of the first that does not, once. @throws the signal's reason. */
export async function filesToAppear(
  paths: readonly string[],
  clock: Clock,
  onMissing: (path: string) => void,
  signal: AbortSignal,
): Promise<void> {
  let isTold = false;
  for (;;) {
    const missing = await firstMissing(paths);
    if (missing === undefined) return;
    if (!isTold) onMissing(missing);
    isTold = true;
    await pause(clock, LOOK_EVERY_MS, signal);
  }
}

export interface ServiceAccountOptions {
  /** Folder with `token` and `ca.crt`, as the kubelet mounts it. */
  readonly folder: string;
  readonly clock: Clock;
  /** Called with the PEM before the first token is handed out, and whenever it was read again. */
  readonly onCa: (ca: string) => void;
}

/** The agent's own identity at its API server: token and CA, re-read as they rotate. */
export class ServiceAccount {
  readonly #options: ServiceAccountOptions;
  #read: Promise<string> | undefined;
  #readMs = 0;

  constructor(options: ServiceAccountOptions) {
    this.#options = options;
  }

  /** The token as it was at most a minute ago. @throws Error naming the file that cannot be read. */
  token(): Promise<string> {
    const nowMs = this.#options.clock.nowMs();
    if (this.#read !== undefined && nowMs - this.#readMs < CACHE_MS) return this.#read;
    this.#readMs = nowMs;
    const read = this.#load();
    this.#read = read;
    read.catch(() => {
      if (this.#read === read) this.#read = undefined;
    });
    return read;
  }

  /** The API server did not accept it: the next request reads it again. */
  expire(): void {
    this.#read = undefined;
  }

  async #load(): Promise<string> {
    const { folder, onCa } = this.#options;
    const [token, ca] = await Promise.all([readToken(join(folder, 'token')), readText(join(folder, 'ca.crt'))]);
    onCa(ca);
    return token;
  }
}

async function readToken(path: string): Promise<string> {
  const token = (await readText(path)).trim();
  if (token.length > MAX_TOKEN_BYTES || !TOKEN.test(token)) throw new Error(`${path} holds no bearer token`);
  return token;
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new Error(`cannot read ${path}`, { cause: error });
  }
}

async function firstMissing(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    try {
      if ((await readFile(path)).length === 0) return path;
    } catch (error) {
      // Not there yet is what we wait for; anything else is for the reader to report.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return path;
    }
  }
  return undefined;
}
