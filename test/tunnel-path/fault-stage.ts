import type { FaultKind } from '../../operator/gateway/front/fault.ts';
import type { Logger } from '../../process/log.ts';
import { type Client, type Protocol, whole } from '../support/gateway-fixture.ts';
import { until } from '../support/turns.ts';
import { BrokenPath, type BrokenPathOptions } from './broken-path.ts';
import { EXEC } from './whole-path.ts';

export const PODS = '/api/v1/namespaces/default/pods';
export const WATCH = `${PODS}?watch=true`;
/** How a client comes: a request, or one that wants to switch protocols. */
export type Way = Protocol | 'upgrade';
export const REQUESTS: readonly Way[] = ['http/1.1', 'h2'];
export const ALL_WAYS: readonly Way[] = [...REQUESTS, 'upgrade'];

/** One question of a client. */
export interface Question {
  /** GET unless told. */
  readonly method?: string;
  /** c1 unless told. */
  readonly tunnel?: string;
  /** Below the tunnel; an upgrade's is an exec unless told. */
  readonly path?: string;
  /** alice's unless told; empty: none. */
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** The answer, whole. Names of headers are lower-case. */
export interface Told {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** One record of the gateway's log. */
export interface Line {
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** How a kind of fault comes about, and what is special about it. */
export interface FaultCase {
  readonly kind: FaultKind;
  readonly what: string;
  /** Over which ways it can happen. */
  readonly ways: readonly Way[];
  readonly options?: BrokenPathOptions;
  readonly question?: Question;
  /** Brings it about; asks once. Unless told the question alone does. */
  readonly provoke?: (stage: FaultStage, ask: () => Promise<Told>, way: Way) => Promise<Told>;
  /** Instead of the row's. */
  readonly retryAfter?: number;
  /** What the message says. */
  readonly tells: string | RegExp;
  /** Whether the Status names the tunnel: not to who is not known to be allowed. */
  readonly isNamed: boolean;
  /** Requests that the target saw; 0 unless told. */
  readonly executed?: number;
  /** Nothing that the product does leads here: how it was played. */
  readonly played?: string;
}

/** Everything between client and target, and the gateway's log. */
export class FaultStage {
  readonly path: BrokenPath;
  readonly lines: readonly Line[];
  readonly #clients: Client[] = [];

  private constructor(path: BrokenPath, lines: readonly Line[]) {
    this.path = path;
    this.lines = lines;
  }

  static async start(options: BrokenPathOptions = {}): Promise<FaultStage> {
    const lines: Line[] = [];
    const write = (message: string, fields: Line['fields'] = {}) => lines.push({ message, fields });
    const log: Logger = { error: write, warn: write, info: write, debug: write, child: () => log };
    return new FaultStage(await BrokenPath.start({ ...options, log }), lines);
  }

  /** Lines about one request. */
  linesOf(traceId: string): Line[] {
    return this.lines.filter(({ fields }) => fields['trace_id'] === traceId);
  }

  /** Requests and upgrades that the target saw. */
  get executed(): number {
    const { received, upgrades } = this.path.upstream;
    return received.length + upgrades.length;
  }

  /** Asks, and reads the whole answer. */
  async ask(way: Way, question: Question = {}): Promise<Told> {
    if (way === 'upgrade') return this.#askToUpgrade(question);
    const { path = PODS, tunnel = 'c1', ...rest } = question;
    const client = this.path.gateway.client(way);
    const { status, headers, text } = await whole(client, { ...rest, path: `/clusters/${tunnel}${path}` });
    client.close();
    return { status, headers, text };
  }

  async #askToUpgrade({ method = 'GET', tunnel = 'c1', path = EXEC, token = 'alice', headers = {} }: Question) {
    const raw = await this.path.gateway.raw('http/1.1');
    const credential = token === '' ? {} : { Authorization: `Bearer ${token}` };
    const fields = { Host: 'gateway', Connection: 'Upgrade', Upgrade: 'websocket', ...credential, ...headers };
    const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
    raw.write(`${method} /clusters/${tunnel}${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
    const answer = await raw.closed();
    return parsed(answer);
  }

  /** Resolves when that many requests are at the target. */
  async arrived(count = 1): Promise<void> {
    await until(() => this.executed === count);
  }

  /** Resolves when that many requests wait at the gateway. */
  async waits(count = 1): Promise<void> {
    await until(() => this.path.gateway.counts.waiting === count);
  }

  /** Others, who ask over HTTP/2 for as long as the stage stands. */
  client(): Client {
    const client = this.path.gateway.client('h2');
    this.#clients.push(client);
    return client;
  }

  /** The others go away. */
  leave(): void {
    for (const client of this.#clients.splice(0)) client.close();
  }

  stop(): Promise<void> {
    this.leave();
    return this.path.stop();
  }
}

/** One answer as it came over a connection of HTTP/1.1. */
export function parsed(answer: string): Told {
  const [head = '', ...rest] = answer.split('\r\n\r\n');
  const [statusLine = '', ...lines] = head.split('\r\n');
  const fields = lines.map((line) => {
    const at = line.indexOf(':');
    return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()] as const;
  });
  const headers = Object.fromEntries(fields);
  return { status: Number(statusLine.split(' ')[1]), headers, text: rest.join('\r\n\r\n') };
}
