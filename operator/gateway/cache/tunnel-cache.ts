import type { CacheSettings } from '../../../crds/cache.ts';
import type { Clock } from '../../../process/clock.ts';
import type { ResponseHead } from '../../../tunnel/wire/head.ts';
import { Collector } from './collector.ts';
import { Flight } from './flight.ts';
import type { Kept } from './kept.ts';
import { Shelf } from './shelf.ts';

/** The largest answer, of maxBytes. */
const LARGEST = 1 / 4;

/** What is remembered of one tunnel, and who asks for it now; until it is forgotten. */
export class TunnelCache {
  /** What it holds for: another text, and it is another tunnel's. */
  readonly scope: string;
  settings: CacheSettings;
  readonly clock: Clock;
  readonly #shelf = new Shelf();
  /** Those that equal requests join. */
  readonly #flights = new Map<string, Flight>();
  /** Slow ones too, in whose place another was begun. */
  readonly #underWay = new Set<Flight>();
  readonly #collectors = new Set<Collector>();
  readonly #fit: () => boolean;
  /** When kinds of the target were changed through this gateway. */
  #changedMs = Number.NEGATIVE_INFINITY;
  #isForgotten = false;

  /** `fit`: makes room in the process for what was just added; false: there is none. */
  constructor(scope: string, settings: CacheSettings, { clock, fit }: { clock: Clock; fit: () => boolean }) {
    this.#fit = fit;
    this.scope = scope;
    this.settings = settings;
    this.clock = clock;
  }

  get bytes(): number {
    return this.#shelf.bytes;
  }

  /** Of them those that may be forgotten. */
  get keptBytes(): number {
    return this.#shelf.keptBytes;
  }

  dropOldest(): void {
    this.#shelf.dropOldest();
  }

  get largestBytes(): number {
    return this.settings.maxBytes * LARGEST;
  }

  configure(settings: CacheSettings): void {
    this.settings = settings;
    this.#shelf.shrink(settings.maxBytes);
  }

  get(key: string): Kept | undefined {
    return this.#shelf.get(key);
  }

  /** Whether it may be given unasked. */
  isFresh({ atMs }: Kept): boolean {
    const { ttlMs } = this.settings;
    const nowMs = this.clock.nowMs();
    return nowMs - atMs < ttlMs && nowMs - this.#changedMs >= ttlMs;
  }

  /** Kinds changed: until that has surely shown, the target is asked each time, and nobody joins who asked before. */
  kindsChanged(): void {
    this.#changedMs = this.clock.nowMs();
    this.#flights.clear();
  }

  /** Unless there is a later one. */
  put(key: string, kept: Kept): void {
    const known = this.#shelf.get(key);
    if (this.#isForgotten || (known !== undefined && known.atMs > kept.atMs)) return;
    this.#shelf.put(key, kept, this.settings.maxBytes);
    this.#fit();
  }

  delete(key: string): void {
    this.#shelf.delete(key);
  }

  flight(key: string): Flight | undefined {
    const flight = this.#flights.get(key);
    return flight?.isOver === true ? undefined : flight;
  }

  /** The asking of one request for all equal ones. */
  takeOff(key: string): Flight {
    const flight = new Flight();
    this.#flights.set(key, flight);
    this.#underWay.add(flight);
    return flight;
  }

  /** Nobody asks any more. */
  clearFlight(key: string, flight: Flight): void {
    this.#underWay.delete(flight);
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
  }

  collector(head: ResponseHead): Collector {
    const room = {
      reserve: (bytes: number) => this.#reserve(bytes),
      release: (bytes: number) => {
        this.#shelf.release(bytes);
        this.#collectors.delete(collector);
      },
    };
    const collector: Collector = new Collector(head, this.clock.nowMs(), this.largestBytes, room);
    if (!collector.isOver) this.#collectors.add(collector);
    return collector;
  }

  #reserve(bytes: number): boolean {
    if (this.#isForgotten || !this.#shelf.reserve(bytes, this.settings.maxBytes)) return false;
    const isFit = this.#fit();
    if (!isFit) this.#shelf.release(bytes);
    return isFit;
  }

  /** For good: what is on its way is not remembered either. Who waits asks for himself. */
  forget(): void {
    this.#isForgotten = true;
    this.#shelf.clear();
    for (const collector of [...this.#collectors]) collector.drop();
    for (const flight of this.#underWay) flight.failed();
    this.#flights.clear();
  }
}
