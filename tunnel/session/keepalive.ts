import type { Timer } from '../flow/timer.ts';

/** A check that runs this much late says that we were stuck, not that the peer is silent. */
const LATENESS_MS = 2_000;
/** Share by which each interval is varied, so that a thousand sessions do not beat together. */
const JITTER_SHARE = 0.2;
/** Silence of this many intervals is death. */
const SILENT_INTERVALS = 3;

export interface KeepaliveOptions {
  readonly clock: Timer;
  /** Read before each PING: it may change while the session runs. */
  readonly intervalMs: () => number;
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
  /** As #lastHeardMs, but without what was forgiven. */
  #heardMs: number;
  /** In force since the last PING. */
  #intervalMs: number;
  #token = 0;
  #sentMs: number | undefined;
  #rttMs: number | undefined;
  #minRttMs: number | undefined;
  #cancel: () => void = () => {};
  /** Our own lateness was taken for life since the peer was last heard: not a second time. */
  #isForgiven = false;

  constructor(options: KeepaliveOptions) {
    this.#options = options;
    this.#intervalMs = options.intervalMs();
    this.#lastHeardMs = options.clock.nowMs();
    this.#heardMs = this.#lastHeardMs;
  }

  /** When the last byte of the peer came; before the first, the beginning. Monotonic. */
  get heardMs(): number {
    return this.#heardMs;
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
    this.#arm();
    this.#ping();
  }

  stop(): void {
    this.#cancel();
  }

  /** Any byte of the peer. */
  heard(): void {
    this.#lastHeardMs = this.#options.clock.nowMs();
    this.#heardMs = this.#lastHeardMs;
    this.#isForgiven = false;
  }

  pong(token: number): void {
    if (token !== this.#token || this.#sentMs === undefined) return;
    this.#rttMs = this.#options.clock.nowMs() - this.#sentMs;
    this.#minRttMs = Math.min(this.#minRttMs ?? this.#rttMs, this.#rttMs);
    this.#sentMs = undefined;
  }

  /** The moment of death is not varied: the last wait ends with it. */
  get #deadAtMs(): number {
    return this.#lastHeardMs + SILENT_INTERVALS * this.#intervalMs;
  }

  #arm(): void {
    const { clock, random } = this.#options;
    this.#adoptInterval();
    const variedMs = this.#intervalMs * (1 - JITTER_SHARE + 2 * JITTER_SHARE * random());
    const delayMs = Math.max(0, Math.min(variedMs, this.#deadAtMs - clock.nowMs()));
    const dueMs = clock.nowMs() + delayMs;
    this.#cancel = clock.after(delayMs, () => this.#tick(clock.nowMs() - dueMs));
  }

  /** A peer that was asked at another pace has its three intervals anew. */
  #adoptInterval(): void {
    const intervalMs = this.#options.intervalMs();
    if (intervalMs === this.#intervalMs) return;
    this.#intervalMs = intervalMs;
    this.#lastHeardMs = this.#options.clock.nowMs();
  }

  #tick(lateMs: number): void {
    const nowMs = this.#options.clock.nowMs();
    if (lateMs > LATENESS_MS && !this.#isForgiven) {
      this.#lastHeardMs = nowMs;
      this.#isForgiven = true;
    }
    if (nowMs >= this.#deadAtMs) return this.#options.onSilent(nowMs - this.#lastHeardMs);
    // In this order: a PING that ends the session must find the timer that stop() cancels.
    this.#arm();
    this.#ping();
  }

  #ping(): void {
    this.#token = (this.#token + 1) >>> 0;
    this.#sentMs = this.#options.clock.nowMs();
    this.#options.ping(this.#token);
  }
}
