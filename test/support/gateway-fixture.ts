import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { Agent, request as requestHttp1 } from 'node:https';
import { connect as connectTcp, type Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import { UNSAID_ACCESS } from '../../crds/access-settings.ts';
import type { AgentSettings } from '../../crds/agent-settings.ts';
import { type AgentKey, mintAgentToken } from '../../crds/agent-token.ts';
import { DEFAULT_CACHE } from '../../crds/cache.ts';
import { DEFAULT_CIRCUIT_BREAKER } from '../../crds/circuit-breaker.ts';
import type { Rate } from '../../operator/gateway/admission/token-bucket.ts';
import type { GatewayCounts } from '../../operator/gateway/counts.ts';
import type { FallbackTarget, TargetChoice } from '../../operator/gateway/fallback/target.ts';
import { issueAuthority, issueServing, type KeyPair } from '../../operator/gateway/front/certificates.ts';
import { type Gateway, startGateway } from '../../operator/gateway/gateway.ts';
import type { GatewayMeter } from '../../operator/gateway/meter.ts';
import type { TunnelView } from '../../operator/gateway/sessions/tunnels.ts';
import { type Logger, silentLogger } from '../../process/log.ts';
import type { StreamError } from '../../tunnel/errors.ts';
import { Budget } from '../../tunnel/flow/budget.ts';
import { AgentSession } from '../../tunnel/session/agent-session.ts';
import type { SessionEnd } from '../../tunnel/session/session.ts';
import { CONNECT_PATH, DEFAULT_SETTINGS, SUBPROTOCOL } from '../../tunnel/session/settings.ts';
import type { Stream, StreamEvents } from '../../tunnel/session/stream.ts';
import { WEBSOCKET_OPTIONS, websocketTransport } from '../../tunnel/session/websocket.ts';
import type { Document, Goaway, Hello, Slots } from '../../tunnel/wire/documents.ts';
import type { RawHeaders, RequestHead } from '../../tunnel/wire/head.ts';
import { ManualClock } from './manual-clock.ts';
import { turns, until } from './turns.ts';

const MEBIBYTE = 1024 * 1024;

/** What every tunnel of the fixture says, unless its test says otherwise. */
export const SETTINGS: AgentSettings = {
  tunnelUid: 'uid-1',
  generation: 1,
  access: UNSAID_ACCESS,
  limits: {
    maxConcurrentRequests: 64,
    maxLongRunningRequests: 1_000,
    maxStreamsPerSession: 2_000,
    maxStreamBufferBytes: 4 * MEBIBYTE,
    maxBufferBytes: 32 * MEBIBYTE,
  },
  timeouts: {
    connectMs: 10_000,
    upstreamHeadersMs: 30_000,
    requestMs: 120_000,
    backpressureMs: 10_000,
    controlWriteMs: 5_000,
    dataWriteMs: 30_000,
    disconnectGraceMs: 10_000,
    drainMs: 30_000,
  },
  reconnect: { minBackoffMs: 1_000, maxBackoffMs: 30_000 },
  compression: { mode: 'Auto', minBytes: 64 * 1024 },
  health: { intervalMs: 10_000 },
};

/** One request as the scripted agent sees it. */
export class Served implements StreamEvents {
  readonly stream: Stream;
  readonly head: RequestHead;
  receivedBytes = 0;
  readonly chunks: Buffer[] = [];
  hasEnded = false;
  trailers: RawHeaders = [];
  error: StreamError | undefined;
  isClosed = false;
  /** Whether body bytes get their credit back at once. */
  takesBody = true;
  #onDrain: () => void = () => {};

  constructor(stream: Stream, head: RequestHead) {
    this.stream = stream;
    this.head = head;
    stream.attach(this);
  }

  get body(): string {
    return Buffer.concat(this.chunks).toString();
  }

  /** A whole answer. */
  answer(status: number, headers: RawHeaders = [], body = ''): void {
    this.stream.sendHead({ status, headers });
    if (body !== '') this.stream.write(Buffer.from(body));
    this.stream.end();
  }

  /** Sends as much as the gateway takes; `onWritten` hears of every chunk that was handed over. */
  async pour(totalBytes: number, onWritten: (bytes: number) => void = () => {}): Promise<void> {
    const chunk = Buffer.alloc(32 * 1024, 'x');
    for (let sent = 0; sent < totalBytes && !this.isClosed; ) {
      const part = chunk.subarray(0, Math.min(chunk.length, totalBytes - sent));
      const mayGoOn = this.stream.write(part);
      sent += part.length;
      onWritten(sent);
      if (!mayGoOn) {
        await new Promise<void>((resolve) => {
          this.#onDrain = resolve;
        });
      }
    }
  }

  onData(chunk: Uint8Array): void {
    this.receivedBytes += chunk.length;
    if (!this.takesBody) return;
    this.chunks.push(Buffer.from(chunk));
    this.stream.consume(chunk.length);
  }

  onEnd(trailers: RawHeaders): void {
    this.hasEnded = true;
    this.trailers = trailers;
  }

  onError(error: StreamError): void {
    this.error = error;
  }

  onDrain(): void {
    this.#onDrain();
  }

  onClose(): void {
    this.isClosed = true;
    this.#onDrain();
  }
}

export interface AgentScript {
  readonly tunnel?: string;
  /** A fresh one of the tunnel unless told. */
  readonly token?: string;
  readonly slots?: Slots;
  /** What else HELLO says. */
  readonly hello?: Partial<Hello>;
  /** Called for each request; without it requests stay open. */
  readonly serve?: (served: Served) => void;
  /** Slots are announced again when a stream closes, unless this says no. */
  readonly keepsSlots?: boolean;
}

/** A real agent session over a real WebSocket; what it answers is the test's to say. */
export class ScriptedAgent {
  readonly session: AgentSession;
  readonly socket: WebSocket;
  readonly served: Served[] = [];
  readonly configs: Document[] = [];
  goaway: Goaway | undefined;
  end: SessionEnd | undefined;
  isReady = false;

  constructor(socket: WebSocket, script: AgentScript, clock: ManualClock) {
    this.socket = socket;
    this.session = new AgentSession({
      transport: websocketTransport(socket),
      clock,
      budget: new Budget(64 * MEBIBYTE),
      settings: DEFAULT_SETTINGS,
      random: () => 0.5,
      hello: {
        versions: [1],
        features: [],
        instanceId: randomBytes(4).toString('hex'),
        agentVersion: '0.0.0-test',
        slots: script.slots ?? { ordinary: 64, longRunning: 1_000 },
        ...script.hello,
      },
      events: {
        onReady: () => {
          this.isReady = true;
        },
        onStream: (stream, head) => this.#serve(stream, head, script),
        onConfig: (document) => this.configs.push(document),
        onLeaving: (goaway) => {
          this.goaway = goaway;
        },
        onEnd: (end) => {
          this.end = end;
        },
      },
    });
  }

  /** The network cable is pulled. */
  cut(): void {
    this.socket.terminate();
  }

  /** The only request, or the one at this place. */
  async request(at = 0): Promise<Served> {
    await until(() => this.served[at] !== undefined);
    return this.served[at] as Served;
  }

  #serve(stream: Stream, head: RequestHead, script: AgentScript): void {
    const served = new Served(stream, head);
    this.served.push(served);
    if (script.keepsSlots !== true) {
      const onClose = served.onClose.bind(served);
      served.onClose = () => {
        onClose();
        const { isLongRunning } = head;
        this.session.announce({ ordinary: isLongRunning ? 0 : 1, longRunning: isLongRunning ? 1 : 0 });
      };
    }
    script.serve?.(served);
  }
}

/** Where users find the fixture's gateway. */
export const EXTERNAL_URL = 'https://gateway.example:8443';

/** Who the fixture's TokenReview knows: token → status. */
export const TOKENS: Readonly<Record<string, unknown>> = {
  alice: { authenticated: true, user: { username: 'alice', uid: 'u-1', groups: ['dev', 'system:authenticated'] } },
  mallory: { authenticated: true, user: { username: 'mallory', groups: ['system:authenticated'] } },
  root: { authenticated: true, user: { username: 'system:admin', groups: ['system:masters'] } },
};

export interface FixtureOptions {
  readonly maxBufferBytes?: number;
  readonly headTimeoutMs?: number;
  readonly http2?: boolean;
  readonly log?: Logger;
  readonly failedLoginsPerSecond?: number;
  readonly userRate?: Rate;
  readonly meter?: GatewayMeter;
  readonly onRefused?: (code: string) => void;
}

let certificates: Promise<{ authority: KeyPair; serving: KeyPair }> | undefined;

/** One authority and one serving certificate for all tests of the process. */
function testCertificates() {
  const make = async () => {
    const authority = await issueAuthority(new Date());
    return { authority, serving: await issueServing(authority, ['localhost', '127.0.0.1'], new Date()) };
  };
  certificates ??= make();
  return certificates;
}

/** A gateway on loopback whose hub, tunnels and time are the test's. */
export class GatewayFixture {
  readonly clock = new ManualClock();
  readonly views = new Map<string, TunnelView>();
  readonly keys = new Map<string, AgentKey>();
  /** What Secrets of the operator's namespace hold, by name and key. */
  readonly kubeconfigs = new Map<string, FallbackTarget>();
  readonly agents: ScriptedAgent[] = [];
  readonly changes: string[] = [];
  /** Cause codes of what the gateway answered itself, in order. */
  readonly refused: string[] = [];
  /** Called at each of these changes. */
  onChange: () => void = () => {};
  /** What the hub was asked. */
  readonly reviewed = { tokens: [] as string[], access: [] as { user: string; name: string; verb: string }[] };
  reviewToken: (token: string, signal: AbortSignal) => Promise<unknown> = async (token) =>
    TOKENS[token] ?? { authenticated: false };
  reviewAccess: (user: string, name: string, verb: string) => Promise<unknown> = async (user, _, verb) => ({
    allowed: user !== 'mallory' && verb !== 'impersonate',
  });
  readonly #closers: (() => void)[] = [];
  #gateway: Gateway | undefined;
  #ca = '';

  static async start(options: FixtureOptions = {}): Promise<GatewayFixture> {
    const fixture = new GatewayFixture();
    const { authority, serving } = await testCertificates();
    fixture.#ca = authority.cert;
    fixture.addTunnel('c1');
    fixture.#gateway = await startGateway({
      host: '127.0.0.1',
      port: 0,
      certificate: serving,
      maxBufferBytes: options.maxBufferBytes ?? 64 * MEBIBYTE,
      replicaId: 'gateway-0',
      externalUrl: EXTERNAL_URL,
      tunnels: { get: (name) => fixture.views.get(name), list: () => [...fixture.views.values()] },
      findKey: (keyId) => fixture.keys.get(keyId),
      findFallback: ({ name, key }) => fixture.#kubeconfig(`${name}/${key}`),
      reviewToken: (token, _audiences, signal) => {
        fixture.reviewed.tokens.push(token);
        return fixture.reviewToken(token, signal);
      },
      reviewAccess: ({ user, resourceAttributes: { name, verb } }) => {
        fixture.reviewed.access.push({ user, name, verb });
        return fixture.reviewAccess(user, name, verb);
      },
      clock: fixture.clock,
      random: () => 0.5,
      log: options.log ?? silentLogger,
      onTunnelChange: (tunnel) => {
        fixture.changes.push(tunnel);
        fixture.onChange();
      },
      failedLoginsPerSecond: options.failedLoginsPerSecond ?? 0,
      userRate: options.userRate,
      onRefused: (code) => {
        fixture.refused.push(code);
        options.onRefused?.(code);
      },
      ...(options.meter === undefined ? {} : { meter: options.meter }),
      ...(options.http2 === undefined ? {} : { http2: options.http2 }),
      ...(options.headTimeoutMs === undefined ? {} : { headTimeoutMs: options.headTimeoutMs }),
    });
    return fixture;
  }

  get gateway(): Gateway {
    if (this.#gateway === undefined) throw new Error('not started');
    return this.#gateway;
  }

  get counts(): GatewayCounts {
    return this.gateway.counts();
  }

  get ca(): string {
    return this.#ca;
  }

  get url(): string {
    return `https://localhost:${this.gateway.port}`;
  }

  addTunnel(name: string, changes: Partial<TunnelView> = {}): void {
    this.views.set(name, {
      name,
      uid: `uid-${name}`,
      isDeleting: false,
      isSuspended: false,
      settings: SETTINGS,
      circuitBreaker: DEFAULT_CIRCUIT_BREAKER,
      // Tests of the way to the target ask the same again and again.
      cache: { ...DEFAULT_CACHE, enabled: false },
      ...changes,
    });
  }

  #kubeconfig(place: string): TargetChoice {
    const kubeconfig = this.kubeconfigs.get(place);
    if (kubeconfig !== undefined) return { kubeconfig };
    return { trouble: { reason: 'KubeconfigMissing', message: `Secret ${place} does not exist.` } };
  }

  /** A token that the gateway accepts for this tunnel. */
  mint(tunnel = 'c1', tunnelUid = `uid-${tunnel}`): string {
    const { token, keyId, sha256 } = mintAgentToken(randomBytes);
    this.keys.set(keyId, { keyId, sha256, createdAt: '2026-01-01T00:00:00Z', tunnel, tunnelUid });
    return token;
  }

  /** An agent whose session is ready at both ends. */
  async agent(script: AgentScript = {}): Promise<ScriptedAgent> {
    const socket = this.dial({ token: script.token ?? this.mint(script.tunnel) });
    const agent = new ScriptedAgent(socket, script, this.clock);
    this.agents.push(agent);
    await once(socket, 'open');
    agent.session.greet();
    await until(() => agent.isReady && agent.configs.length > 0);
    return agent;
  }

  /** A WebSocket on the agents' door, not yet open. `url`: another way to the gateway than the direct one. */
  dial(options: { token?: string; protocol?: string; origin?: string; url?: string }): WebSocket {
    const socket = new WebSocket(
      `${(options.url ?? this.url).replace(/^https/, 'wss')}${CONNECT_PATH}`,
      options.protocol ?? SUBPROTOCOL,
      {
        ...WEBSOCKET_OPTIONS,
        ca: this.#ca,
        ...(options.origin === undefined ? {} : { origin: options.origin }),
        headers: options.token === undefined ? {} : { authorization: `Bearer ${options.token}` },
      },
    );
    socket.on('error', () => {});
    this.#closers.push(() => socket.terminate());
    return socket;
  }

  client(protocol: Protocol): Client {
    const client = openClient(protocol, this.url, this.#ca);
    this.#closers.push(() => client.close());
    return client;
  }

  /** A TLS connection to write bytes to. `allowHalfOpen`: each way ends by itself. */
  async raw(protocol: Protocol = 'http/1.1', { allowHalfOpen = false } = {}): Promise<RawConnection> {
    const tcp = connectTcp({ port: this.gateway.port, host: '127.0.0.1', allowHalfOpen });
    const socket = connectTls({ socket: tcp, servername: 'localhost', ca: this.#ca, ALPNProtocols: [protocol] });
    const raw = new RawConnection(socket, tcp);
    this.#closers.push(() => raw.reset());
    await once(socket, 'secureConnect');
    return raw;
  }

  /** Time goes by in steps, so that both ends hear each other's heartbeats. */
  async pass(totalMs: number): Promise<void> {
    for (let leftMs = totalMs; leftMs > 0; leftMs -= 5_000) {
      this.clock.advance(Math.min(leftMs, 5_000));
      await turns(20);
    }
  }

  /** Everything but sessions and connections is zero. */
  get isQuiet(): boolean {
    const { sessions: _sessions, connections: _connections, ...rest } = this.counts;
    return Object.values(rest).every((count) => count === 0);
  }

  /** Stops as well when nothing becomes quiet. @throws Error that says so: a request has left something */
  async stopQuiet(): Promise<void> {
    try {
      await until(() => this.isQuiet);
    } finally {
      await this.stop();
    }
  }

  async stop(): Promise<void> {
    for (const close of this.#closers) close();
    await this.gateway.drain(AbortSignal.abort());
  }
}

/** What the gateway said over a raw connection. */
export class RawConnection {
  readonly socket: TLSSocket;
  readonly #tcp: Socket;
  text = '';
  /** The gateway said its last word. */
  hasEnded = false;
  isClosed = false;

  constructor(socket: TLSSocket, tcp: Socket) {
    this.socket = socket;
    this.#tcp = tcp;
    tcp.on('error', () => {});
    socket.on('data', (chunk) => {
      this.text += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    socket.once('end', () => {
      this.hasEnded = true;
    });
    socket.once('close', () => {
      this.isClosed = true;
    });
  }

  write(text: string): void {
    this.socket.write(Buffer.from(text, 'latin1'));
  }

  /** The client closes at once. For connections with much unsaid: Node 20 may not survive a reset of theirs, or not end after it. */
  leave(): void {
    this.socket.destroy();
  }

  /** The client's machine goes away without a last word. */
  reset(): void {
    this.#tcp.resetAndDestroy();
    this.socket.destroy();
  }

  /** The whole of a connection's answers, once the gateway has closed it. */
  async closed(): Promise<string> {
    await until(() => this.isClosed);
    return this.text;
  }

  async said(part: string): Promise<string> {
    await until(() => this.text.includes(part) || this.isClosed);
    return this.text;
  }
}

export type Protocol = 'http/1.1' | 'h2';
export const PROTOCOLS: readonly Protocol[] = ['http/1.1', 'h2'];

export interface Ask {
  readonly method?: string;
  readonly path: string;
  /** alice's unless told; empty: none. */
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** A text; 'open' leaves the body to the test. */
  readonly body?: string | Buffer | 'open';
  /** Fields behind a body that is a text or bytes. */
  readonly trailers?: Readonly<Record<string, string>>;
}

/** An answer whose head has arrived. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly trailers: () => Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readable;
}

/** A request under way. */
export interface Call {
  readonly upload: Writable;
  /** Rejects when the connection breaks before the head. */
  readonly answer: Promise<Answer>;
  /** 100 Continue came. */
  readonly wasContinued: () => boolean;
  /** The client goes away. */
  cancel(): void;
}

export interface Client {
  call(ask: Ask): Call;
  close(): void;
}

/** Connections of a user of the gateway at `url`. */
export function openClient(protocol: Protocol, url: string, ca: string): Client {
  return protocol === 'h2' ? new Http2Client(url, ca) : new Http1Client(url, ca);
}

/** A body read to its end, as text; rejects when it was cut. */
export async function bodyOf(answer: Pick<Answer, 'body'>): Promise<string> {
  return (await bytesOf(answer)).toString();
}

/** A body read to its end; rejects when it was cut. */
export function bytesOf({ body }: Pick<Answer, 'body'>): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let hasEnded = false;
    body.on('data', (chunk) => chunks.push(chunk));
    body.once('end', () => {
      hasEnded = true;
    });
    body.once('error', reject);
    // HTTP/2 through Node says 'end' for a stream that was cut, too; `rstCode` knows better.
    body.once('close', () => {
      const { rstCode = 0 } = body as Readable & { rstCode?: number };
      if (hasEnded && rstCode === 0) resolve(Buffer.concat(chunks));
      else reject(new Error('the body was cut'));
    });
  });
}

/** The answer's head and its whole body. */
export async function whole(client: Client, ask: Ask): Promise<Answer & { text: string }> {
  const answer = await client.call(ask).answer;
  return { ...answer, text: await bodyOf(answer) };
}

function headersOf({ token = 'alice', headers = {} }: Ask): Record<string, string | string[]> {
  const copied = Object.entries(headers).map(([name, value]) => [name, typeof value === 'string' ? value : [...value]]);
  return { ...(token === '' ? {} : { authorization: `Bearer ${token}` }), ...Object.fromEntries(copied) };
}

class Http1Client implements Client {
  readonly #url: string;
  readonly #agent: Agent;

  constructor(url: string, ca: string) {
    this.#url = url;
    this.#agent = new Agent({ ca, keepAlive: true });
  }

  call(ask: Ask): Call {
    const { hostname, port } = new URL(this.#url);
    const request = requestHttp1({
      agent: this.#agent,
      host: hostname,
      port,
      method: ask.method ?? 'GET',
      path: ask.path,
      headers: headersOf(ask),
    });
    const answer = new Promise<Answer>((resolve, reject) => {
      request.once('error', reject);
      request.once('response', (response) =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          trailers: () => response.trailers,
          body: response,
        }),
      );
    });
    answer.catch(() => {});
    request.on('error', () => {});
    let isContinued = false;
    request.once('continue', () => {
      isContinued = true;
    });
    if (ask.body === undefined) request.end();
    else if (ask.body === 'open') request.flushHeaders();
    else if (ask.trailers === undefined) request.end(ask.body);
    else {
      request.write(ask.body);
      request.addTrailers(ask.trailers);
      request.end();
    }
    return { upload: request, answer, wasContinued: () => isContinued, cancel: () => request.destroy() };
  }

  close(): void {
    this.#agent.destroy();
  }
}

class Http2Client implements Client {
  readonly #session: ClientHttp2Session;

  constructor(url: string, ca: string) {
    this.#session = connectHttp2(url, { ca });
    this.#session.on('error', () => {});
  }

  call(ask: Ask): Call {
    const request = this.#session.request(
      { ':method': ask.method ?? 'GET', ':path': ask.path, ...headersOf(ask) },
      { endStream: ask.body === undefined, waitForTrailers: ask.trailers !== undefined },
    );
    request.once('wantTrailers', () => request.sendTrailers(ask.trailers ?? {}));
    let isContinued = false;
    request.once('continue', () => {
      isContinued = true;
    });
    let trailers: Readonly<Record<string, string | string[] | undefined>> = {};
    request.once('trailers', (fields) => {
      trailers = fields;
    });
    const answer = new Promise<Answer>((resolve, reject) => {
      request.once('error', reject);
      request.once('close', () => reject(new Error('closed before the head')));
      request.once('response', (headers) =>
        resolve({ status: headers[':status'] ?? 0, headers, trailers: () => trailers, body: request }),
      );
    });
    answer.catch(() => {});
    request.on('error', () => {});
    if (ask.body !== undefined && ask.body !== 'open') request.end(ask.body);
    const cancel = () => request.close(constants.NGHTTP2_CANCEL);
    return { upload: request, answer, wasContinued: () => isContinued, cancel };
  }

  close(): void {
    this.#session.destroy();
  }
}
