import type { Clock } from '../../../process/clock.ts';
import type { Budget } from '../../../tunnel/flow/budget.ts';
import type { SlotPool } from '../../../tunnel/session/gateway-session.ts';
import { leaving, TunnelError } from '../front/tunnel-error.ts';
import type { GatewayMeter } from '../meter.ts';
import { choose, others } from '../sessions/choose.ts';
import type { AgentLink, Registry } from '../sessions/registry.ts';
import type { Tunnels } from '../sessions/tunnels.ts';
import { type Absence, gaveUp, giveUpAtMs, type Patience, refusedAtOnce } from './absence.ts';
import type { Applicant } from './applicant.ts';
import type { Breaker } from './breaker.ts';
import { openOrError, tooLarge } from './opening.ts';
import { type Presence, type Rooms, sizeOf } from './rooms.ts';
import { WaitingRoom } from './waiting.ts';

/** Of a tunnel that does not say limits.maxQueuedRequests. */
const MAX_QUEUED_REQUESTS = 2_000;

export interface AdmissionOptions {
  readonly registry: Registry;
  readonly tunnels: Pick<Tunnels, 'get'>;
  /** Of all tunnels together. */
  readonly budget: Pick<Budget, 'hasReserve'>;
  readonly breaker: Pick<Breaker, 'refusal'>;
  readonly clock: Clock;
  readonly random: () => number;
  /** A request has stopped to wait. */
  readonly onWaited?: GatewayMeter['waited'];
}

/** Now, later or not: hands each request a stream as soon as an agent has a free worker for it. */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #rooms = new Map<string, Rooms>();
  /** Tunnels whose agents had room when the budget had none for them: whoever gives back may have given theirs. */
  readonly #starved = new Set<string>();
  #isFeeding = false;
  readonly #startedMs: number;
  #isDraining = false;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#startedMs = options.clock.nowMs();
  }

  /** Requests that wait, over all tunnels. */
  get waiting(): number {
    let count = 0;
    for (const rooms of this.#rooms.values()) count += sizeOf(rooms);
    return count;
  }

  /** Whether ordinary requests of this tunnel wait. */
  isAwaited(tunnel: string): boolean {
    return (this.#rooms.get(tunnel)?.ordinary.size ?? 0) > 0;
  }

  /** Requests that wait for this tunnel. */
  waitingFor(tunnel: string): number {
    const rooms = this.#rooms.get(tunnel);
    return rooms === undefined ? 0 : sizeOf(rooms);
  }

  /** The sessions of other agents than this one (instanceId) that may reach the API server. */
  others(tunnel: string, agent: string): AgentLink[] {
    return others(this.#options.registry.facts(tunnel).links, agent, this.#options.clock.nowMs());
  }

  /** Opens a stream now or when there is room. The returned function gives up: the client went away. */
  admit(applicant: Applicant): () => void {
    const { requestMs, enteredMs = this.#options.clock.nowMs() } = applicant;
    const patience: Patience = { ...applicant, enteredMs, deadlineMs: enteredMs + requestMs };
    if (this.#isRefused(applicant)) return () => {};
    const room = this.#rooms.get(applicant.tunnel)?.[applicant.pool];
    const isFirst = room === undefined || room.size === 0;
    if (isFirst && this.#open(applicant, patience.deadlineMs)) return () => {};
    return this.#wait(applicant, patience);
  }

  /** Slots became free, or a session came or went. */
  changed(tunnel: string): void {
    this.#wake(tunnel);
    this.#feed();
  }

  /** Memory became free: whose it was is no matter. */
  freed(): void {
    if (this.#starved.size === 0 || this.#isFeeding) return;
    this.#isFeeding = true;
    queueMicrotask(() => {
      this.#isFeeding = false;
      this.#feed();
    });
  }

  /** Each at most once, and who still has no room comes last the next time. */
  #feed(): void {
    for (const name of [...this.#starved]) {
      if (!this.#options.budget.hasReserve) return;
      this.#wake(name);
    }
  }

  /** This gateway leaves: nobody waits here any longer, and nobody who comes does. */
  drain(): void {
    this.#isDraining = true;
    for (const tunnel of [...this.#rooms.keys()]) this.clear(tunnel);
  }

  /** The tunnel is deleted or suspended: nobody waits for it any longer. */
  clear(tunnel: string): void {
    const rooms = this.#rooms.get(tunnel);
    this.#rooms.delete(tunnel);
    this.#starved.delete(tunnel);
    rooms?.ordinary.clear();
    rooms?.longRunning.clear();
  }

  #wake(tunnel: string): void {
    this.#starved.delete(tunnel);
    const rooms = this.#rooms.get(tunnel);
    if (rooms === undefined) return;
    rooms.ordinary.wake();
    rooms.longRunning.wake();
    this.#rearm(rooms, this.#presence(tunnel));
    if (sizeOf(rooms) === 0) this.#rooms.delete(tunnel);
  }

  /** Deadlines are other ones only when the tunnel came or went; slots come free far more often. */
  #rearm(rooms: Rooms, presence: Presence): void {
    const { isConnected, awaySinceMs } = rooms.presence;
    if (isConnected === presence.isConnected && awaySinceMs === presence.awaySinceMs) return;
    rooms.presence = presence;
    rooms.ordinary.rearm();
    rooms.longRunning.rearm();
  }

  #wait(applicant: Applicant, patience: Patience): () => void {
    const { tunnel, path, user, pool, onError } = applicant;
    const absence = this.#absence(applicant);
    const left = this.#isDraining ? leaving({ tunnel, path }) : undefined;
    const refusal = left ?? refusedAtOnce(applicant, absence, patience, this.#options.random());
    if (refusal !== undefined) return refused(applicant, refusal);
    const leave = this.#room(tunnel)[pool].enter({
      user,
      take: () => this.#isRefused(applicant) || this.#open(applicant, patience.deadlineMs),
      dueMs: () => giveUpAtMs(this.#absence(applicant), patience),
      expire: () => onError(this.#isDraining ? leaving({ tunnel, path }) : this.#gaveUp(applicant)),
      giveWay: () => onError(this.#noPlace(applicant)),
      onLeft: (waitedMs) => this.#options.onWaited?.(tunnel, waitedMs),
    });
    return leave ?? refused(applicant, this.#noPlace(applicant));
  }

  #noPlace({ tunnel, path, pool }: Applicant): TunnelError {
    const { max, isOfSessions } = this.#places(tunnel, pool);
    if (!isOfSessions) {
      const message = `${max} requests wait for tunnel "${tunnel}" (spec.limits.maxQueuedRequests)`;
      return new TunnelError('queue_full', message, { tunnel, path });
    }
    const message = `as many requests run or wait at tunnel "${tunnel}" as its sessions may carry (spec.limits.maxStreamsPerSession)`;
    return new TunnelError('session_full', message, { tunnel, path });
  }

  /** How many may wait for this pool: as the tunnel says, and no more than its open sessions could take besides the other pool's. */
  #places(tunnel: string, pool: SlotPool): { readonly max: number; readonly isOfSessions: boolean } {
    const max = this.#options.tunnels.get(tunnel)?.admission?.maxQueuedRequests ?? MAX_QUEUED_REQUESTS;
    const open = this.#options.registry.facts(tunnel).links.filter(({ session }) => session.isOpen);
    if (open.length === 0) return { max, isOfSessions: false };
    const others = this.#rooms.get(tunnel)?.[pool === 'ordinary' ? 'longRunning' : 'ordinary'].size ?? 0;
    const left = open.reduce((total, { session }) => total + session.streamsLeft, -others);
    return left < max ? { max: left, isOfSessions: true } : { max, isOfSessions: false };
  }

  #gaveUp(applicant: Applicant): TunnelError {
    return gaveUp(applicant, this.#absence(applicant), this.#options.random());
  }

  /** The way does not hold, and it was told so. Of a tunnel that is away its absence says more. */
  #isRefused(applicant: Applicant): boolean {
    const { tunnel, mayProbe = false, onError } = applicant;
    const { isSuspended, isGone } = this.#state(tunnel);
    if (isSuspended || isGone || this.#isDraining) return false;
    if (this.#options.registry.facts(tunnel).links.length === 0) return false;
    const refusal = this.#options.breaker.refusal({ ...applicant, mayProbe });
    if (refusal !== undefined) onError(refusal);
    return refusal !== undefined;
  }

  /** True: it has its stream, or will never get one. */
  #open(applicant: Applicant, deadlineMs: number): boolean {
    const { tunnel, pool, avoid, head, isEnd, onStream } = applicant;
    const { isSuspended, isGone } = this.#state(tunnel);
    if (isSuspended || isGone) return false;
    const nowMs = this.#options.clock.nowMs();
    const elsewhere = avoid === undefined ? [] : this.others(tunnel, avoid);
    const { links } = this.#options.registry.facts(tunnel);
    const link = choose(elsewhere.length > 0 ? elsewhere : links, pool, nowMs);
    if (link === undefined) return false;
    const leftMs = Math.max(1, Math.ceil(deadlineMs - nowMs));
    const stream = openOrError(link, head(pool === 'ordinary' ? leftMs : 0), isEnd);
    if (stream instanceof RangeError) {
      applicant.onError(tooLarge(applicant, stream));
      return true;
    }
    if (stream === undefined) {
      this.#starved.add(tunnel);
      return false;
    }
    onStream(stream, link);
    return true;
  }

  #absence({ tunnel, predatesGateway = false }: Applicant): Absence {
    const { isConnected, awaySinceMs = predatesGateway ? this.#startedMs : undefined } = this.#presence(tunnel);
    const state = this.#state(tunnel);
    return { nowMs: this.#options.clock.nowMs(), isConnected, awaySinceMs, ...state };
  }

  #presence(tunnel: string): Presence {
    const { links, awaySinceMs } = this.#options.registry.facts(tunnel);
    return { isConnected: links.length > 0, awaySinceMs };
  }

  #state(tunnel: string): Pick<Absence, 'isSuspended' | 'isGone'> {
    const view = this.#options.tunnels.get(tunnel);
    return { isSuspended: view?.isSuspended ?? false, isGone: view?.isDeleting ?? true };
  }

  #room(tunnel: string): Rooms {
    const known = this.#rooms.get(tunnel);
    if (known !== undefined) return known;
    const room = (pool: SlotPool) => new WaitingRoom(this.#options.clock, () => this.#places(tunnel, pool).max);
    const rooms = { ordinary: room('ordinary'), longRunning: room('longRunning'), presence: this.#presence(tunnel) };
    this.#rooms.set(tunnel, rooms);
    return rooms;
  }
}

/** It does not wait: there is nothing to give up. */
function refused({ onError }: Applicant, error: TunnelError): () => void {
  onError(error);
  return () => {};
}
