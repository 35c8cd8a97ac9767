import type { SessionClock } from './clock.ts';

/** A check that runs this much late says that we were stuck, not that the peer is silent. */
const LATENESS_MS = 2_000;
/** Share by which each interval is varied, so that a thousand sessions do not beat together. */
const JITTER_SHARE = 0.2;
/** Silence of this many intervals is death. */
const SILENT_INTERVALS = 3;

export interface KeepaliveOptions {
  readonly clock: SessionClock;
  readonly intervalMs: number;
  /** 0 <= n < 1. */
  readonly random: () => number;
  readonly ping: (token: number) => void;
  /** Nothing came for three intervals. */
  readonly onSilent: (silentMs: number) => void;
}

/** PING every interval; any inbound byte is life; round-trip times from PONG. */
export class Keepalive {
  readonly #options: KeepaliveOptions;
  #lastHeardMs: number;
  #token = 0;
  #sentMs: number | undefined;
  #rttMs: number | undefined;
  #minRttMs: number | undefined;
  #cancel: () => void = () => {};

  constructor(options: KeepaliveOptions) {
    this.#options = options;
    this.#lastHeardMs = options.clock.nowMs();
  }

  /** Of the last PING; undefined before the first PONG. */
  get rttMs(): number | undefined {
    return this.#rttMs;
  }

  /** Smallest seen; 0 before the first PONG. */
  get minRttMs(): number {
    return this.#minRttMs ?? 0;
  }

  start(): void {
    this.#ping();
    this.#arm();
  }

  stop(): void {
    this.#cancel();
  }

  /** Any byte of the peer. */
  heard(): void {
    this.#lastHeardMs = this.#options.clock.nowMs();
  }

  pong(token: number): void {
    if (token !== this.#token || this.#sentMs === undefined) return;
    this.#rttMs = this.#options.clock.nowMs() - this.#sentMs;
    this.#minRttMs = Math.min(this.#minRttMs ?? this.#rttMs, this.#rttMs);
    this.#sentMs = undefined;
  }

  #arm(): void {
    const { clock, intervalMs, random } = this.#options;
    const delayMs = intervalMs * (1 - JITTER_SHARE + 2 * JITTER_SHARE * random());
    const dueMs = clock.nowMs() + delayMs;
    this.#cancel = clock.after(delayMs, () => this.#tick(clock.nowMs() - dueMs));
  }

  #tick(lateMs: number): void {
    const { clock, intervalMs, onSilent } = this.#options;
    if (lateMs > LATENESS_MS) this.heard();
    const silentMs = clock.nowMs() - this.#lastHeardMs;
    if (silentMs > SILENT_INTERVALS * intervalMs) return onSilent(silentMs);
    this.#ping();
    this.#arm();
  }

  #ping(): void {
    this.#token = (this.#token + 1) >>> 0;
    this.#sentMs = this.#options.clock.nowMs();
    this.#options.ping(this.#token);
  }
}
