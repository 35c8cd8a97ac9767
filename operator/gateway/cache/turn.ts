import type { RequestStream } from '../../../tunnel/session/inflated-stream.ts';
import type { RawHeaders, ResponseHead } from '../../../tunnel/wire/head.ts';
import { MAX_HEADER_LINES } from '../../../tunnel/wire/limits.ts';
import type { Collector } from './collector.ts';
import type { Flight, Waiter } from './flight.ts';
import { isKeepable } from './keepable.ts';
import { etagOf, headAgain, type Kept } from './kept.ts';
import { KeptStream } from './kept-stream.ts';
import { type Tap, TappedStream } from './tapped-stream.ts';
import type { TunnelCache } from './tunnel-cache.ts';

/** Where an answer came from: out of memory; out of memory after the target said that it holds; from the target. */
export type CacheResult = 'hit' | 'revalidated' | 'miss';

/** Longer nobody waits for another's answer: its client may be slow to take it. */
const MAX_WAIT_MS = 10_000;

/** How a request goes on. */
export interface WaysOn {
  fromMemory(stream: RequestStream): void;
  toTarget(): void;
}

/** One request and what is remembered. */
export interface CacheTurn {
  /** undefined: nothing that is remembered could answer it, or it has no answer yet. */
  readonly result: CacheResult | undefined;
  /** Calls one of the ways on, once; later if an equal request is under way. */
  begin(ways: WaysOn): void;
  /** What is sent to the target, in place of this. */
  sending<Sending extends { readonly headers: RawHeaders }>(sending: Sending): Sending;
  /** The stream that its answer comes by. */
  tapped(stream: RequestStream): RequestStream;
  /** It is over. Once. */
  leave(isCancelled: boolean): void;
}

/** Of a request that goes to the target whatever is remembered. */
export const PASSING: CacheTurn = {
  result: undefined,
  begin: ({ toTarget }) => toTarget(),
  sending: (sending) => sending,
  tapped: (stream) => stream,
  leave: () => {},
};

export interface TurnOptions {
  readonly cache: TunnelCache;
  readonly key: string;
  /** The client's own; empty without. */
  readonly ifNoneMatch: string;
  /** What is left of the request's time, in ms. */
  readonly leftMs: () => number;
  readonly count: (result: CacheResult) => void;
}

/** A request that what is remembered may answer. */
export class Turn implements CacheTurn {
  readonly #options: TurnOptions;
  #result: CacheResult | undefined;
  /** What the target is asked about. */
  #stale: Kept | undefined;
  /** While it asks for others too. */
  #flight: Flight | undefined;
  #collector: Collector | undefined;
  #isOver = false;
  #stopWaiting: () => void = () => {};

  constructor(options: TurnOptions) {
    this.#options = options;
  }

  get result(): CacheResult | undefined {
    return this.#result;
  }

  begin(ways: WaysOn): void {
    const { cache, key, ifNoneMatch } = this.#options;
    const kept = cache.get(key);
    if (kept !== undefined && cache.isFresh(kept)) return this.#answer(kept, ways);
    const isForOthers = ifNoneMatch === '' || (kept !== undefined && etagOf(kept) !== undefined);
    const flight = cache.flight(key);
    if (!isForOthers) this.#ask(ways);
    else if (flight === undefined) this.#lead(cache.takeOff(key), ways);
    else this.#wait(flight, ways);
  }

  sending<Sending extends { readonly headers: RawHeaders }>(sending: Sending): Sending {
    const { headers } = sending;
    const etag = this.#stale === undefined ? undefined : etagOf(this.#stale);
    if (etag === undefined) return sending;
    const others = headers.filter((_, at) => headers[at - (at % 2)]?.toLowerCase() !== 'if-none-match');
    if (others.length / 2 >= MAX_HEADER_LINES) return sending;
    return { ...sending, headers: [...others, 'If-None-Match', etag] };
  }

  tapped(stream: RequestStream): RequestStream {
    const tap: Tap = {
      onHead: (head) => this.#head(head),
      onData: (chunk) => {
        this.#collector?.add(chunk);
        if (this.#collector?.isOver === true) this.#flight?.failed();
      },
      onEnd: (trailers) => this.#end(trailers),
      onBreak: () => this.#collector?.drop(),
    };
    return new TappedStream(stream, tap, this.#options.cache.clock);
  }

  leave(isCancelled: boolean): void {
    const { cache, key, count } = this.#options;
    this.#isOver = true;
    this.#stopWaiting();
    this.#collector?.drop();
    if (this.#result !== undefined) count(this.#result);
    const flight = this.#flight;
    if (flight === undefined) return;
    if (!flight.isOver && isCancelled && flight.passOn()) return;
    flight.failed();
    cache.clearFlight(key, flight);
  }

  #answer(kept: Kept, { fromMemory }: WaysOn): void {
    this.#result = 'hit';
    fromMemory(this.#again(kept));
  }

  #ask({ toTarget }: WaysOn): void {
    this.#result = 'miss';
    toTarget();
  }

  #lead(flight: Flight, ways: WaysOn): void {
    const { cache, key } = this.#options;
    this.#flight = flight;
    const kept = cache.get(key);
    this.#stale = kept !== undefined && etagOf(kept) !== undefined ? kept : undefined;
    this.#ask(ways);
  }

  #wait(flight: Flight, ways: WaysOn): void {
    const { cache, key, leftMs } = this.#options;
    /** Not from inside the event that told of it. */
    const soon = (go: () => void) => {
      this.#stopWaiting();
      queueMicrotask(() => {
        if (!this.#isOver) go();
      });
    };
    const waiter: Waiter = {
      onAnswer: (kept) => soon(() => this.#answer(kept, ways)),
      onNothing: () => soon(() => this.#ask(ways)),
      onLead: () => {
        this.#flight = flight;
        soon(() => this.#lead(flight, ways));
      },
    };
    if (!flight.join(waiter)) return this.#ask(ways);
    // Whoever comes next waits for the one who gives up first, not for the slow one.
    const giveUp = () => (cache.flight(key) === flight ? this.#lead(cache.takeOff(key), ways) : this.#ask(ways));
    const cancelTimer = cache.clock.after(Math.min(MAX_WAIT_MS, leftMs()), () => soon(giveUp));
    this.#stopWaiting = () => {
      cancelTimer();
      flight.quit(waiter);
    };
  }

  #head(head: ResponseHead): RequestStream | undefined {
    const { cache, key } = this.#options;
    this.#collector?.drop();
    this.#collector = undefined;
    if (head.status === 304 && this.#stale !== undefined) return this.#holds(this.#stale);
    // What it says of itself now, even that it may not be told, is truer.
    if (head.status < 500 && head.status !== 304) cache.delete(key);
    if (isKeepable(head, cache.largestBytes)) this.#collector = cache.collector(head);
    if (this.#collector === undefined || this.#collector.isOver) this.#flight?.failed();
    return undefined;
  }

  /** The target said that it is as it was. */
  #holds(stale: Kept): RequestStream {
    const { cache, key } = this.#options;
    const kept = { ...stale, atMs: cache.clock.nowMs() };
    cache.put(key, kept);
    this.#result = 'revalidated';
    this.#flight?.landed(kept);
    return this.#again(kept);
  }

  #end(trailers: RawHeaders): void {
    const { cache, key } = this.#options;
    const kept = this.#collector?.end(trailers);
    if (kept === undefined) return this.#flight?.failed();
    cache.put(key, kept);
    this.#flight?.landed(kept);
  }

  #again(kept: Kept): KeptStream {
    const { cache, ifNoneMatch } = this.#options;
    const head = headAgain(kept, ifNoneMatch, cache.clock.nowMs());
    return new KeptStream(head, kept.chunks, cache.clock);
  }
}
