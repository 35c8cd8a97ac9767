import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { setTimeout as pause } from 'node:timers/promises';
import { Pace } from '../../load/client/pace.ts';
import { PatternCheck } from '../../load/pattern.ts';
import { serve } from '../../load/serve.ts';

/** Users, each on a connection of his own: readers of large answers at any pace, and askers of small ones. */

interface Target {
  readonly url: string;
  readonly ca: string;
}

export interface Reading {
  readonly name: string;
  readonly path: string;
  /** 0: takes nothing until told otherwise. Infinite: as fast as it comes. */
  readonly bytesPerSecond: number;
  /** Begins again after each end. */
  readonly isRepeated?: boolean;
}

export interface ReaderState {
  readonly bytes: number;
  /** Everything that came was the pattern, in order. */
  readonly isIntact: boolean;
  readonly ends: number;
  /** Why the last answer broke off; empty if none did. */
  readonly error: string;
}

interface Asking {
  readonly path: string;
  readonly durationMs: number;
  readonly connections: number;
  /** 0, or none: as often as answers come. */
  readonly everyMs?: number;
}

let target: Target = { url: '', ca: '' };

/** One user who reads. */
class Reader {
  readonly #reading: Reading;
  readonly #agent = new Agent({ ca: target.ca, keepAlive: true, maxSockets: 1 });
  readonly #pace: Pace;
  #check = new PatternCheck();
  #doneBytes = 0;
  #isIntact = true;
  #ends = 0;
  #error = '';
  #isStopped = false;
  #response: IncomingMessage | undefined;

  constructor(reading: Reading) {
    this.#reading = reading;
    this.#pace = new Pace(reading.bytesPerSecond);
  }

  get state(): ReaderState {
    const bytes = this.#doneBytes + this.#check.bytes;
    return { bytes, isIntact: this.#isIntact && this.#check.isIntact, ends: this.#ends, error: this.#error };
  }

  /** Resolves with the head. */
  ask(): Promise<void> {
    return new Promise((resolve, reject) => {
      const outgoing = get(this.#reading.path, this.#agent);
      outgoing.once('response', (response) => {
        this.#take(response);
        resolve();
      });
      outgoing.on('error', (error) => {
        this.#error ||= error.message;
        reject(error);
      });
    });
  }

  set pace(bytesPerSecond: number) {
    this.#pace.change(bytesPerSecond);
    if (this.#response !== undefined) this.#pace.regulate(this.#response);
  }

  stop(): void {
    this.#isStopped = true;
    this.#pace.stop();
    this.#response?.destroy();
    this.#agent.destroy();
  }

  #take(response: IncomingMessage): void {
    this.#response = response;
    this.#check = new PatternCheck();
    if (response.statusCode !== 200) this.#error ||= `status ${response.statusCode}`;
    response.on('data', (chunk: Buffer) => {
      this.#check.feed(chunk);
      this.#pace.took(chunk.length, response);
    });
    response.once('end', () => this.#ended());
    response.on('error', (error) => {
      if (!this.#isStopped) this.#error ||= error.message;
    });
    this.#pace.regulate(response);
  }

  #ended(): void {
    this.#ends += 1;
    this.#doneBytes += this.#check.bytes;
    this.#isIntact &&= this.#check.isIntact;
    this.#check = new PatternCheck();
    if (this.#reading.isRepeated && !this.#isStopped) this.ask().catch(() => {}); // kept in #error
  }
}

const readers = new Map<string, Reader>();

const methods = {
  aim(at: Target) {
    target = at;
  },

  /** Resolves when every head has come. */
  async read(readings: readonly Reading[]) {
    await Promise.all(
      readings.map((reading) => {
        const reader = new Reader(reading);
        readers.set(reading.name, reader);
        return reader.ask();
      }),
    );
  },

  pace({ name, bytesPerSecond }: { readonly name: string; readonly bytesPerSecond: number }) {
    const reader = readers.get(name);
    if (reader !== undefined) reader.pace = bytesPerSecond;
  },

  states(names: readonly string[]): ReaderState[] {
    return names.flatMap((name) => readers.get(name)?.state ?? []);
  },

  /** The readers go away, those that still read in the middle of it. */
  stop(names: readonly string[]) {
    for (const name of names) {
      readers.get(name)?.stop();
      readers.delete(name);
    }
  },

  /**
   * Asks for `path` again and again on `connections` connections; how long each answer took, in ms. With `everyMs` each
   * connection asks so often, and who asks late because the answer before was late has waited since then.
   */
  async ask({ path, durationMs, connections, everyMs = 0 }: Asking) {
    const agent = new Agent({ ca: target.ca, keepAlive: true, maxSockets: connections });
    const latenciesMs: number[] = [];
    const startMs = performance.now();
    const endMs = startMs + durationMs;
    const one = async (at: number) => {
      let dueMs = startMs + (at * everyMs) / connections;
      for (let nowMs = startMs; nowMs < endMs; nowMs = performance.now()) {
        if (everyMs > 0 && dueMs > nowMs) await pause(dueMs - nowMs);
        const lateMs = everyMs > 0 ? performance.now() - dueMs : 0;
        latenciesMs.push((await timed(path, agent)) + lateMs);
        dueMs += everyMs;
      }
    };
    await Promise.all(Array.from({ length: connections }, (_, at) => one(at)));
    agent.destroy();
    return latenciesMs;
  },

  /** Makes `count` requests, `connections` at once, and leaves each of them after a random time up to `withinMs`. */
  async cancel({ paths, count, connections, withinMs }: CancelStorm) {
    const agent = new Agent({ ca: target.ca, keepAlive: true, maxSockets: connections });
    const outcomes = { cancelled: 0, answered: 0 };
    let left = count;
    const one = async () => {
      while (left > 0) {
        left -= 1;
        outcomes[await abandoned(paths[left % paths.length] ?? '/', agent, withinMs)] += 1;
      }
    };
    await Promise.all(Array.from({ length: connections }, one));
    agent.destroy();
    return outcomes;
  },
};

interface CancelStorm {
  readonly paths: readonly string[];
  readonly count: number;
  readonly connections: number;
  readonly withinMs: number;
}

export type ClientsMethods = typeof methods;

serve(methods);

function get(path: string, agent: Agent): ClientRequest {
  const headers = { authorization: 'Bearer bench' };
  const outgoing = request(`${target.url}${path}`, { agent, headers });
  outgoing.end();
  return outgoing;
}

/** One GET to its end, in ms. */
function timed(path: string, agent: Agent): Promise<number> {
  const startedMs = performance.now();
  return new Promise((resolve, reject) => {
    const outgoing = get(path, agent);
    outgoing.once('error', reject);
    outgoing.once('response', (response) => {
      response.resume();
      response.once('error', reject);
      response.once('end', () => {
        if (response.statusCode === 200) resolve(performance.now() - startedMs);
        else reject(new Error(`status ${response.statusCode}`));
      });
    });
  });
}

/** One GET whose user goes away at some moment, unless the answer is there sooner. */
function abandoned(path: string, agent: Agent, withinMs: number): Promise<'cancelled' | 'answered'> {
  return new Promise((resolve) => {
    const outgoing = get(path, agent);
    const timer = setTimeout(() => outgoing.destroy(), Math.random() * withinMs);
    let isWhole = false;
    outgoing.on('error', () => {}); // our own leaving
    outgoing.once('response', (response) => {
      response.resume();
      response.on('error', () => {}); // likewise
      response.once('end', () => {
        isWhole = true;
      });
    });
    outgoing.once('close', () => {
      clearTimeout(timer);
      resolve(isWhole ? 'answered' : 'cancelled');
    });
  });
}
