import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { expect } from 'chai';
import type { Logger } from '../../process/log.ts';
import type { AgentSession } from '../../tunnel/session/agent-session.ts';
import { websocketTransport } from '../../tunnel/session/websocket.ts';
import { Serving, type ServingOptions } from '../agent/serving.ts';
import { type FixtureOptions, GatewayFixture, type RawConnection, SETTINGS } from '../support/gateway-fixture.ts';
import { RecordingUpstream } from '../support/recording-upstream.ts';
import { until } from '../support/turns.ts';

interface WholePathOptions extends Pick<ServingOptions, 'measuresLink' | 'token'> {
  readonly gateway?: FixtureOptions;
  readonly agentLog?: Logger;
}

const FIRST = { connection: 0, previous: undefined };

/** Client → gateway → agent → API server: the real ones over real TLS, all in this process, with a clock that stands still. */
export class WholePath {
  readonly upstream: RecordingUpstream;
  readonly gateway: GatewayFixture;
  readonly agent: Serving;
  #sever: () => void = () => {};

  private constructor(upstream: RecordingUpstream, gateway: GatewayFixture, options: WholePathOptions) {
    const { url, ca } = upstream;
    const { measuresLink, token, agentLog: log } = options;
    this.upstream = upstream;
    this.gateway = gateway;
    this.agent = new Serving({ url, ca, settings: SETTINGS, clock: gateway.clock, measuresLink, token, log });
  }

  static async start(options: WholePathOptions = {}): Promise<WholePath> {
    const [upstream, gateway] = await Promise.all([RecordingUpstream.start(), GatewayFixture.start(options.gateway)]);
    const path = new WholePath(upstream, gateway, options);
    await path.connect();
    return path;
  }

  /** The agent opens a session. */
  async connect(): Promise<void> {
    const { gateway, agent } = this;
    const socket = gateway.dial({ token: gateway.mint() });
    await once(socket, 'open');
    let isReady = false;
    const events = {
      onReady: () => {
        isReady = true;
      },
      onLeaving: () => {},
      onEnd: () => {},
    };
    const session: AgentSession = agent.server.open(websocketTransport(socket), FIRST, events);
    agent.sessions.push(session);
    session.greet();
    await until(() => isReady && gateway.counts.sessions > 0);
    this.#sever = () => socket.terminate();
  }

  /** The connection between agent and gateway breaks. */
  sever(): void {
    this.#sever();
  }

  /** A connection on which a client has asked for an upgrade, and is told the answer's head. */
  async upgrade(asking: Asking = {}): Promise<RawConnection & { readonly head: string }> {
    const raw = await this.gateway.raw('http/1.1', { allowHalfOpen: true });
    raw.write(upgradeRequest(asking));
    await raw.said('\r\n\r\n');
    const end = raw.text.indexOf('\r\n\r\n') + 4;
    const head = raw.text.slice(0, end);
    raw.text = raw.text.slice(end);
    return Object.assign(raw, { head });
  }

  /** Nothing of any request is left, at either end of the tunnel. */
  async quiet(): Promise<void> {
    await until(() => this.gateway.isQuiet && this.agent.busy === 0);
    expect(this.agent.budget.usedBytes, "the agent's buffers").to.equal(0);
  }

  async stop(): Promise<void> {
    try {
      await this.quiet();
    } finally {
      await this.gateway.stop();
      await this.agent.upstream.close();
      await this.upstream.close();
    }
  }
}

export interface Asking {
  readonly method?: string;
  readonly path?: string;
  readonly protocol?: string;
  /** More lines of the head. */
  readonly lines?: readonly string[];
}

/** A request for an upgrade, as bytes in latin1. */
export function upgradeRequest({ method = 'GET', path = EXEC, protocol = 'websocket', lines = [] }: Asking): string {
  const head = [
    `${method} /clusters/c1${path} HTTP/1.1`,
    ...['Host: gateway', 'Authorization: Bearer alice', 'Connection: Upgrade', `Upgrade: ${protocol}`],
    ...lines,
  ];
  return `${head.join('\r\n')}\r\n\r\n`;
}

export const EXEC = '/api/v1/namespaces/default/pods/web/exec?command=sh&stdin=true&stdout=true';

/** Writes as fast as the other side takes it, and the end. */
export async function pour(into: Writable, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; at += 64 * 1024) {
    if (!into.write(bytes.subarray(at, at + 64 * 1024))) await once(into, 'drain');
  }
  into.end();
}

/** The next chunk of a body, as text. */
export async function nextText(body: Readable): Promise<string> {
  const [chunk] = await once(body, 'data');
  return String(chunk);
}

/** What arrives of alice: the agent's credential, and whom it speaks for. */
export const ALICE = [
  ...['Authorization', 'Bearer agent-token', 'Impersonate-User', 'alice', 'Impersonate-Uid', 'u-1'],
  ...['Impersonate-Group', 'dev', 'Impersonate-Group', 'system:authenticated'],
];

/** Every line that says who asks. */
export function identityIn(rawHeaders: readonly string[]): string[] {
  const isTelling = (name: string) =>
    /^(authorization|cookie|impersonate-|x-remote-|x-forwarded-|forwarded)/i.test(name);
  return rawHeaders.filter((_, at) => isTelling(rawHeaders[at - (at % 2)] ?? ''));
}
