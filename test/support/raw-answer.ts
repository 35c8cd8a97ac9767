import { request as requestHttps } from 'node:https';
import { text } from 'node:stream/consumers';
import { connect } from 'node:tls';

/** One request as bytes would have it: nothing is added, followed or parsed away. */
export interface RawRequest {
  readonly url: string;
  readonly caPem: string;
  readonly token: string | undefined;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface RawAnswer {
  readonly status: number;
  /** Names lower-case, without Date. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const TIMEOUT_MS = 20_000;

/** An ordinary request over HTTP/1.1. */
export function ask({ url, caPem, token, method = 'GET', headers = {} }: RawRequest): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const all = { ...headers, ...authorization(token) };
    const outgoing = requestHttps(url, { method, ca: caPem, agent: false, signal, headers: all }, (response) => {
      text(response).then((body) => {
        const fields = Object.entries(response.headers).map(([name, value]) => [name, String(value)]);
        resolve({ status: response.statusCode ?? 0, headers: withoutDate(fields), body });
      }, reject);
    });
    outgoing.once('error', reject);
    outgoing.end();
  });
}

/** A request to upgrade, byte by byte; the answer until the gateway closes. */
export async function askToUpgrade({
  url,
  caPem,
  token,
  method = 'POST',
  headers = {},
}: RawRequest): Promise<RawAnswer> {
  const { hostname, port, pathname, search } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), ca: caPem, ALPNProtocols: ['http/1.1'] });
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`no answer to the upgrade in ${TIMEOUT_MS} ms`)));
  const fields = {
    Host: `${hostname}:${port}`,
    Connection: 'Upgrade',
    Upgrade: 'SPDY/3.1',
    ...headers,
    ...authorization(token),
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`${method} ${pathname}${search} HTTP/1.1\r\n${lines.join('')}\r\n`);
  const answer = await text(socket);
  const [head = '', ...rest] = answer.split('\r\n\r\n');
  const [statusLine = '', ...headerLines] = head.split('\r\n');
  const parsed = headerLines.map((line) => [
    line.slice(0, line.indexOf(':')).toLowerCase(),
    line.slice(line.indexOf(':') + 1).trim(),
  ]);
  return { status: Number(statusLine.split(' ')[1]), headers: withoutDate(parsed), body: rest.join('\r\n\r\n') };
}

function authorization(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { Authorization: `Bearer ${token}` };
}

function withoutDate(fields: readonly (readonly string[])[]): Record<string, string> {
  return Object.fromEntries(fields.filter(([name]) => name !== 'date'));
}
