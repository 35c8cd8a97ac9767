import type { Outcome } from '../sessions/overheard.ts';

/** Of a tunnel's requests in flight so many may be replays: a tunnel that flaps is not asked everything twice. */
const SHARE = 0.2;
/** So many always may. Source: Envoy's retry budget. */
const LEAST = 3;

interface Flight {
  requests: number;
  replays: number;
}

/** One request in flight. */
export interface Ticket {
  /** Whether it may be sent again though it may have run. Then it counts as a replay until its answer begins. */
  replay(): boolean;
  /** How it went at a session: it is no replay any more once its answer began. */
  hear(outcome: Outcome): void;
  /** It is over. Once. */
  leave(): void;
}

/** How many reads may be sent again after a lost session, by tunnel: at most a fifth of what is in flight, and at least 3. */
export class Replays {
  readonly #flights = new Map<string, Flight>();

  /** Tunnels with requests in flight. */
  get size(): number {
    return this.#flights.size;
  }

  /** A request of this tunnel was let in. */
  enter(tunnel: string): Ticket {
    const flight = this.#flights.get(tunnel) ?? { requests: 0, replays: 0 };
    this.#flights.set(tunnel, flight);
    flight.requests += 1;
    let isReplay = false;
    const settled = () => {
      if (isReplay) flight.replays -= 1;
      isReplay = false;
    };
    return {
      replay: () => {
        if (isReplay || flight.replays >= Math.max(LEAST, Math.floor(flight.requests * SHARE))) return false;
        flight.replays += 1;
        isReplay = true;
        return true;
      },
      hear: (outcome) => {
        if (outcome === 'answered') settled();
      },
      leave: () => {
        settled();
        flight.requests -= 1;
        if (flight.requests === 0) this.#flights.delete(tunnel);
      },
    };
  }
}
