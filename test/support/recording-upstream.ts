import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Answer, type Received, StubUpstream } from './stub-upstream.ts';
import { until } from './turns.ts';

/** What an upgraded connection went through, in order. */
export type UpgradedEvent = 'switched' | 'their bytes' | 'their end' | 'our end' | 'error' | 'closed';

/** How to answer a request that asks for an upgrade. */
export interface UpgradeScript {
  /** Of the 101; the one that was asked for unless told. */
  readonly protocol?: string;
  /** More lines of the 101. */
  readonly headers?: readonly string[];
  /** Sent in one write with the head. */
  readonly firstBytes?: string | Uint8Array;
  /** Written as it is instead of a 101: another answer, or its beginning; empty to answer later with `switchTo`. */
  readonly instead?: string;
  /** What to do once switched. Unless told: nothing, until the test does. */
  readonly run?: (upgraded: Upgraded) => void;
}

/** One upgraded connection, with everything that came. */
export class Upgraded {
  readonly request: IncomingMessage;
  readonly #socket: Duplex;
  readonly #hash = createHash('sha256');
  readonly chunks: Buffer[] = [];
  receivedBytes = 0;
  /** Repeated events stand once. */
  readonly events: UpgradedEvent[] = [];
  /** Received bytes are kept for `text`. */
  keepsBytes = true;

  constructor(request: IncomingMessage, socket: Duplex, firstBytes: Buffer) {
    this.request = request;
    this.#socket = socket;
    socket.on('error', () => this.#note('error'));
    socket.once('close', () => this.#note('closed'));
    socket.once('finish', () => this.#note('our end'));
    socket.once('end', () => this.#note('their end'));
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    this.#received(firstBytes);
  }

  get rawHeaders(): readonly string[] {
    return this.request.rawHeaders;
  }

  get hasEnded(): boolean {
    return this.events.includes('their end');
  }

  get isClosed(): boolean {
    return this.events.includes('closed');
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString('latin1');
  }

  /** Of all bytes received, hex. Once. */
  sha256(): string {
    return this.#hash.digest('hex');
  }

  /** Answers with a 101, and with what follows it in the same write. */
  switchTo({ protocol, headers = [], firstBytes = '' }: UpgradeScript): void {
    const lines = [`Upgrade: ${protocol ?? this.request.headers.upgrade}`, 'Connection: Upgrade', ...headers];
    const head = Buffer.from(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`, 'latin1');
    this.#socket.write(Buffer.concat([head, Buffer.from(firstBytes)]));
    this.#note('switched');
  }

  /** Writes what may be no HTTP at all. */
  say(text: string): void {
    this.#socket.write(Buffer.from(text, 'latin1'));
  }

  /** Writes as fast as the other side takes it. */
  async write(bytes: string | Uint8Array): Promise<void> {
    const chunk = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
    for (let at = 0; at < chunk.length && !this.isClosed; at += 64 * 1024) {
      await new Promise<void>((resolve) => {
        this.#socket.write(chunk.subarray(at, at + 64 * 1024), () => resolve());
      });
    }
  }

  /** Ends our direction; the other one lives on. */
  end(): void {
    this.#socket.end();
  }

  /** Takes no more until `resume`. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  #received(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#note('their bytes');
    this.receivedBytes += chunk.length;
    this.#hash.update(chunk);
    if (this.keepsBytes) this.chunks.push(chunk);
  }

  #note(event: UpgradedEvent): void {
    if (!this.events.includes(event)) this.events.push(event);
  }
}

/** Sends back what comes, and ends when the other side does. */
export function echo(upgraded: Upgraded): void {
  upgraded.request.socket.pipe(upgraded.request.socket);
}

/** An API server as far as bytes go: a real TLS server that records requests and upgraded connections, and answers as told. */
export class RecordingUpstream {
  readonly #stub: StubUpstream;
  readonly upgrades: Upgraded[] = [];
  script: UpgradeScript = {};

  private constructor(stub: StubUpstream) {
    this.#stub = stub;
    stub.upgrade = (request, socket, firstBytes) => {
      const upgraded = new Upgraded(request, socket, firstBytes);
      this.upgrades.push(upgraded);
      const { instead, run } = this.script;
      if (instead === undefined) upgraded.switchTo(this.script);
      else upgraded.say(instead);
      run?.(upgraded);
    };
  }

  static async start(): Promise<RecordingUpstream> {
    return new RecordingUpstream(await StubUpstream.start());
  }

  get url(): string {
    return this.#stub.url;
  }

  get ca(): string {
    return this.#stub.ca;
  }

  /** Ordinary requests. */
  get received(): readonly Received[] {
    return this.#stub.received;
  }

  get last(): Received {
    return this.#stub.last;
  }

  get connections(): number {
    return this.#stub.connections;
  }

  set answer(answer: Answer) {
    this.#stub.answer = answer;
  }

  set readsBodies(isSo: boolean) {
    this.#stub.readsBodies = isSo;
  }

  set keepsBodies(isSo: boolean) {
    this.#stub.keepsBodies = isSo;
  }

  /** The upgraded connection that came at this place. */
  async upgraded(at = 0): Promise<Upgraded> {
    await until(() => this.upgrades[at] !== undefined);
    return this.upgrades[at] as Upgraded;
  }

  /** The network breaks under a connection: no FIN. */
  break({ request }: Upgraded): void {
    this.#stub.break(request);
  }

  close(): Promise<void> {
    return this.#stub.close();
  }
}
