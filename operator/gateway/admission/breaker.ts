import type { CircuitBreakerSettings } from '../../../crds/circuit-breaker.ts';
import type { Clock } from '../../../process/clock.ts';
import type { Logger } from '../../../process/log.ts';
import type { TunnelError } from '../front/tunnel-error.ts';
import type { Outcome } from '../sessions/overheard.ts';
import type { Tunnels, TunnelView } from '../sessions/tunnels.ts';
import {
  type Circuit,
  CLOSED,
  elapsed,
  failed,
  type Moment,
  openUntilMs,
  probeBegan,
  probeEnded,
  reached,
} from './circuit.ts';
import { type Passer, refusalOf } from './circuit-refusal.ts';
import type { CircuitState } from './circuit-state.ts';
import { type Evidence, evidenceOf } from './evidence.ts';

/** A half-open circuit waits so long for a user's read before the gateway asks itself, and between two tries of that. */
const ASK_AFTER_MS = 1_000;
/** When it could not ask and nothing told it that it can now: memory that becomes free does not. */
const ASK_AGAIN_MS = 5_000;
/** Beyond timeouts.connect an agent that cannot connect has said so. */
const PROBE_MARGIN_MS = 5_000;

/** Asks something small through the tunnel; `hear` is told once, later, how it went. False: it cannot be asked now. */
export type Ask = (view: TunnelView, timeoutMs: number, hear: (outcome: Outcome) => void) => boolean;

export interface BreakerOptions {
  readonly tunnels: Pick<Tunnels, 'get'>;
  readonly ask: Ask;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  /** Requests of this tunnel are refused from now on, or not any more. */
  readonly onChange: (tunnel: string) => void;
}

/** One tunnel's circuit at this gateway. */
export interface CircuitSample {
  readonly tunnel: string;
  readonly state: CircuitState;
  /** How often it opened, the times that a probe failed included. */
  readonly openings: number;
}

/** What a tunnel's status says of it. */
export interface CircuitFacts {
  /** The failure that opened it, in words. */
  readonly cause: string;
}

interface Held {
  readonly uid: string;
  circuit: Circuit;
  /** The probe under way; one that was given up is none any more. */
  probe: object | undefined;
  /** Whether the gateway will ask by itself in a moment. */
  asksSoon: boolean;
  /** What it waits for. */
  cancel: () => void;
}

/**
 * One circuit for each tunnel: after repeated failures on the way to its API server nothing is sent there for a while, then one
 * request to see. Nothing is kept of a tunnel with which all is well.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  readonly #held = new Map<string, Held>();
  readonly #openings = new Map<string, number>();

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  /** Tunnels of which anything is kept, for tests. */
  get size(): number {
    return this.#held.size + this.#openings.size;
  }

  state(tunnel: string): CircuitState {
    return this.#held.get(tunnel)?.circuit.state ?? 'closed';
  }

  /** For metrics. */
  sample(tunnel: string): CircuitSample {
    return { tunnel, state: this.state(tunnel), openings: this.#openings.get(tunnel) ?? 0 };
  }

  /** undefined: requests pass. */
  facts(tunnel: string): CircuitFacts | undefined {
    const circuit = this.#held.get(tunnel)?.circuit;
    return circuit === undefined || circuit.state === 'closed' ? undefined : { cause: circuit.cause };
  }

  /** Why this request may not go now; undefined: it may. */
  refusal(passer: Passer): TunnelError | undefined {
    const circuit = this.#held.get(passer.tunnel)?.circuit;
    const settings = this.#settings(passer.tunnel);
    if (circuit === undefined || settings === undefined || circuit.state === 'closed') return undefined;
    if (circuit.state === 'halfOpen' && passer.mayProbe) return undefined;
    return refusalOf(circuit, settings, passer, this.#moment());
  }

  /** A request goes, over this session; what it returns is told how it went. */
  sent({ tunnel, mayProbe }: Pick<Passer, 'tunnel' | 'mayProbe'>, sessionId: string): (outcome: Outcome) => void {
    const held = this.#held.get(tunnel);
    // Of a read that takes long nothing is known: then the gateway asks itself.
    if (mayProbe && held?.circuit.state === 'halfOpen') return this.#probing(tunnel, held, 'probeVanished');
    return (outcome) => this.#noted(tunnel, evidenceOf(outcome), sessionId);
  }

  /** A session came, or slots became free. */
  roomCame(tunnel: string): void {
    const held = this.#held.get(tunnel);
    if (held?.circuit.state === 'halfOpen' && !held.asksSoon) this.#askSoon(tunnel, held);
  }

  /** The tunnel's spec changed: what is decided next follows it. Of a tunnel that is gone or suspended nothing is kept. */
  tunnelChanged(tunnel: string): void {
    const view = this.#options.tunnels.get(tunnel);
    const held = this.#held.get(tunnel);
    if (view === undefined || view.isDeleting) this.#openings.delete(tunnel);
    if (held === undefined) return;
    if (view === undefined || view.uid !== held.uid || view.isDeleting || view.isSuspended) this.#forget(tunnel, held);
    else if (held.circuit.state === 'open') this.#waitOpen(tunnel, held, view.circuitBreaker);
  }

  #settings(tunnel: string): CircuitBreakerSettings | undefined {
    return this.#options.tunnels.get(tunnel)?.circuitBreaker;
  }

  /** What an ordinary request showed. */
  #noted(tunnel: string, evidence: Evidence, sessionId: string): void {
    const held = this.#held.get(tunnel);
    if (evidence === undefined || (evidence === 'reached' && held === undefined)) return;
    if (evidence === 'reached') return this.#put(tunnel, held as Held, reached((held as Held).circuit));
    const view = this.#options.tunnels.get(tunnel);
    if (view === undefined || view.isDeleting || view.isSuspended) return;
    const { isSessionLost, detail } = evidence;
    const failure = {
      atMs: this.#options.clock.nowMs(),
      lostSession: isSessionLost ? sessionId : undefined,
      detail,
    };
    const known = held ?? { uid: view.uid, circuit: CLOSED, probe: undefined, asksSoon: false, cancel: () => {} };
    this.#put(tunnel, known, failed(known.circuit, failure, view.circuitBreaker, this.#moment()));
  }

  /** From now on one probe is under way; what it returns is told how that went. `silence`: what it means to hear nothing in time. */
  #probing(tunnel: string, held: Held, silence: 'probeFailed' | 'probeVanished'): (outcome: Outcome) => void {
    const probe = {};
    held.probe = probe;
    held.circuit = probeBegan(held.circuit);
    this.#wait(held, this.#probeMs(tunnel), () => this.#probeEnded(tunnel, held, silence));
    return (outcome) => {
      const evidence = evidenceOf(outcome);
      if (held.probe !== probe) return void (evidence === 'reached' && this.#reachedLate(tunnel, held));
      if (evidence === undefined) return this.#probeEnded(tunnel, held, 'probeVanished');
      this.#probeEnded(tunnel, held, evidence === 'reached' ? 'probeSucceeded' : 'probeFailed');
    };
  }

  /** A probe that took long got through after all, before another one told more. */
  #reachedLate(tunnel: string, held: Held): void {
    if (this.#held.get(tunnel) !== held) return;
    if (held.circuit.state === 'halfOpen') held.circuit = probeBegan(held.circuit);
    if (held.circuit.state === 'probing') this.#probeEnded(tunnel, held, 'probeSucceeded');
  }

  #probeEnded(tunnel: string, held: Held, event: Parameters<typeof probeEnded>[1]): void {
    held.probe = undefined;
    held.cancel();
    this.#put(tunnel, held, probeEnded(held.circuit, event, this.#moment()));
  }

  /** The circuit is this now: what follows from it. */
  #put(tunnel: string, held: Held, circuit: Circuit): void {
    const before = held.circuit.state;
    held.circuit = circuit;
    this.#held.set(tunnel, held);
    if (circuit === CLOSED) this.#forget(tunnel, held);
    else if (circuit.state === 'open') this.#opened(tunnel, held, before);
    else if (circuit.state === 'halfOpen') this.#askSoon(tunnel, held);
    const { log, onChange } = this.#options;
    if ((before === 'closed') === (circuit.state === 'closed')) return;
    if (before === 'closed') log.warn('circuit opened', { tunnel, cause: circuit.cause });
    else log.info('circuit closed', { tunnel });
    onChange(tunnel);
  }

  #opened(tunnel: string, held: Held, before: CircuitState): void {
    const settings = this.#settings(tunnel);
    if (before === 'open' || settings === undefined) return;
    this.#openings.set(tunnel, (this.#openings.get(tunnel) ?? 0) + 1);
    this.#waitOpen(tunnel, held, settings);
  }

  #waitOpen(tunnel: string, held: Held, settings: CircuitBreakerSettings): void {
    const { clock } = this.#options;
    this.#wait(held, openUntilMs(held.circuit, settings) - clock.nowMs(), () => {
      const now = this.#settings(tunnel) ?? settings;
      held.circuit = elapsed(held.circuit, now, clock.nowMs());
      if (held.circuit.state === 'open') this.#waitOpen(tunnel, held, now);
      else this.#askSoon(tunnel, held);
    });
  }

  /** When no user asks meanwhile the gateway does. If it cannot, it tries again: soon after `roomCame`, or by and by. */
  #askSoon(tunnel: string, held: Held): void {
    this.#wait(held, ASK_AFTER_MS, () => {
      const view = this.#options.tunnels.get(tunnel);
      held.asksSoon = false;
      if (view === undefined || held.circuit.state !== 'halfOpen') return;
      let hear: (outcome: Outcome) => void = () => {};
      const isAsked = this.#options.ask(view, this.#probeMs(tunnel), (outcome) => hear(outcome));
      if (isAsked) hear = this.#probing(tunnel, held, 'probeFailed');
      else this.#wait(held, ASK_AGAIN_MS, () => this.#askSoon(tunnel, held));
    });
    held.asksSoon = true;
  }

  #probeMs(tunnel: string): number {
    return (this.#options.tunnels.get(tunnel)?.settings.timeouts.connectMs ?? 0) + PROBE_MARGIN_MS;
  }

  /** Instead of what it waited for. */
  #wait(held: Held, delayMs: number, run: () => void): void {
    held.cancel();
    held.asksSoon = false;
    held.cancel = this.#options.clock.after(Math.max(0, delayMs), run);
  }

  #forget(tunnel: string, held: Held): void {
    held.cancel();
    held.probe = undefined;
    if (this.#held.get(tunnel) === held) this.#held.delete(tunnel);
  }

  #moment(): Moment {
    const { clock, random } = this.#options;
    return { nowMs: clock.nowMs(), random: random() };
  }
}
