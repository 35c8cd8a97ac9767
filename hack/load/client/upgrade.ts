import { randomBytes } from 'node:crypto';
import { request } from 'node:https';
import { type Asked, queryOf } from '../asked.ts';
import type { Attempt } from '../history.ts';
import { monotonicMs } from '../monotonic.ts';
import type { GivenUp } from './call.ts';
import { Seeing } from './seeing.ts';

const PATH = '/api/v1/namespaces/load/pods/web/exec';

export interface Upgrading {
  /** Of one tunnel: https://host:port/clusters/name. */
  readonly url: string;
  readonly ca: string;
  readonly asked: Asked;
  /** With a GivenUp as its reason. */
  readonly signal: AbortSignal;
  /** The connection is another protocol's now. */
  readonly onSwitched: () => void;
}

/** As `kubectl exec`: a connection of its own that is switched, and held until somebody leaves. Never rejects. */
export function upgrade({ url, ca, asked, signal, onSwitched }: Upgrading): Promise<Attempt> {
  const startedMs = monotonicMs();
  const seeing = new Seeing(0);
  let isWhole = false;
  return new Promise((resolve) => {
    const over = () => {
      signal.removeEventListener('abort', giveUp);
      const lost = seeing.hasHead ? 'cut' : 'broken';
      const end = signal.aborted ? (signal.reason as GivenUp) : lost;
      resolve({
        ...asked,
        ...seeing.as(isWhole ? 'whole' : end),
        method: 'GET',
        protocol: 'http/1.1',
        startedMs,
        endedMs: monotonicMs(),
      });
    };
    const outgoing = request(`${url}${PATH}?${queryOf(asked)}&command=sh`, { ca, headers: headersOf(asked.user) });
    const giveUp = () => outgoing.destroy();
    signal.addEventListener('abort', giveUp, { once: true });
    outgoing.on('error', () => {}); // 'close' says it
    outgoing.once('response', (response) => {
      seeing.head(response.statusCode ?? 0, response.headers);
      response.on('data', (chunk: Buffer) => seeing.data(chunk));
      response.once('end', () => {
        isWhole = response.complete;
      });
    });
    outgoing.once('upgrade', (response, socket) => {
      seeing.head(response.statusCode ?? 0, response.headers);
      signal.addEventListener('abort', () => socket.destroy(), { once: true });
      socket.on('error', () => {}); // likewise
      socket.once('close', over);
      socket.resume();
      onSwitched();
    });
    outgoing.once('close', () => {
      if (seeing.status !== 101) over();
    });
    outgoing.end();
  });
}

function headersOf(user: string): Record<string, string> {
  return {
    authorization: `Bearer ${user}`,
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-protocol': 'v5.channel.k8s.io',
    'sec-websocket-key': randomBytes(16).toString('base64'),
  };
}
