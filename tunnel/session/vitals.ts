import { ProtocolError } from '../errors.ts';
import { AbuseBudget, type AbuseKind } from '../flow/abuse.ts';
import { Deadlines } from '../flow/deadlines.ts';
import type { Timer } from '../flow/timer.ts';
import { ErrorCode } from '../wire/codes.ts';
import { Keepalive } from './keepalive.ts';
import { HANDSHAKE_TIMEOUT_MS } from './settings.ts';

export interface VitalsOptions {
  readonly clock: Timer;
  readonly random: () => number;
  readonly pingIntervalMs: () => number;
  readonly ping: (token: number) => void;
  /** The peer fell silent or never greeted: the session ends. */
  readonly onDead: (error: ProtocolError) => void;
}

/** Whether the peer is alive and behaves: its greeting in time, its heartbeat, and what it may cost us. */
export class Vitals {
  /** Every deadline of the session. */
  readonly deadlines: Deadlines;
  readonly #keepalive: Keepalive;
  readonly #abuse = new AbuseBudget();
  readonly #cancelHandshake: () => void;

  constructor({ clock, random, pingIntervalMs, ping, onDead }: VitalsOptions) {
    this.deadlines = new Deadlines(clock);
    this.#keepalive = new Keepalive({
      clock: this.deadlines,
      random,
      intervalMs: pingIntervalMs,
      ping,
      onSilent: (ms) => onDead(new ProtocolError(`no byte from the peer for ${Math.round(ms)} ms`, ErrorCode.Silent)),
    });
    this.#cancelHandshake = this.deadlines.after(HANDSHAKE_TIMEOUT_MS, () =>
      onDead(new ProtocolError(`no greeting within ${HANDSHAKE_TIMEOUT_MS} ms`, ErrorCode.HandshakeTimeout)),
    );
  }

  /** When the last byte of the peer came. Monotonic. */
  get heardMs(): number {
    return this.#keepalive.heardMs;
  }

  get rttMs(): number | undefined {
    return this.#keepalive.rttMs;
  }

  /** Smallest seen; 0 before the first PONG. */
  get minRttMs(): number {
    return this.#keepalive.minRttMs;
  }

  /** The handshake is complete: the heartbeat begins. */
  greeted(): void {
    this.#cancelHandshake();
    this.#keepalive.start();
  }

  /** Any byte of the peer. */
  heard(): void {
    this.#keepalive.heard();
  }

  pong(token: number): void {
    this.#keepalive.pong(token);
  }

  /** Notes a frame that makes us answer or work. @throws ProtocolError ABUSE when the peer sent too many of its kind. */
  charge(kind: AbuseKind): void {
    if (this.#abuse.spend(kind, this.deadlines.nowMs())) return;
    throw new ProtocolError(`too many frames of kind ${kind}`, ErrorCode.Abuse);
  }

  /** Nothing waits any more. */
  stop(): void {
    this.#keepalive.stop();
    this.deadlines.close();
  }
}
