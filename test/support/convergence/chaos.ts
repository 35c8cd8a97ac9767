import { ApiError, apiErrorOf, UnreachableError } from '../../../operator/kube/errors.ts';
import type { Call, Transport } from '../../../operator/kube/transport.ts';
import type { Watched } from './watched.ts';

/** Where an API server stands. */
export type ClusterName = 'hub' | 'remote';

/** What goes wrong with the next `calls` calls of a kind. `after`: the call took effect, its answer was lost. */
export interface Fault {
  readonly at: ClusterName;
  readonly trouble: 'internal' | 'conflict' | 'forbidden' | 'throttled' | 'unreachable';
  readonly when: 'before' | 'after';
  readonly of: 'writes' | 'calls' | 'watches';
  readonly calls: number;
}

/** At an operator's nth call from now, before or after that takes effect. */
export interface Moment {
  readonly afterCalls: number;
  readonly when: 'before' | 'after';
}

const JOURNAL_LENGTH = 80;
const TUNNEL_STATUS = /\/clustertunnels\/[^/]+\/status/;
const LEASES = '/leases';
/** Written now and then whatever happens to tunnels. */
const PUBLISHED = '/configmaps/clustertunnel-gateway';

interface Way {
  readonly inner: Transport;
  readonly at: ClusterName;
  readonly life: Life;
  readonly watched: Watched;
}

/** Stands between operators and API servers: fails calls, loses answers, cuts watches, and remembers what was called. */
export class Chaos {
  /** Writes that operators attempted. */
  writes = 0;
  /** Of tunnels' status. */
  statusWrites = 0;
  /** The last calls with what became of them. */
  readonly journal: string[] = [];
  #faults: { readonly fault: Fault; left: number }[] = [];
  #interruptions: { callsLeft: number; readonly when: Moment['when']; readonly act: () => Promise<void> }[] = [];
  #lease: unknown;
  readonly #cuts = new Set<AbortController>();
  readonly #onCall = new Set<() => void>();

  /** From now on this goes wrong as well. */
  arm(fault: Fault): void {
    this.#faults.push({ fault, left: fault.calls });
    this.note(`— ${fault.calls} ${fault.of} at ${fault.at}: ${fault.trouble}, ${fault.when} they take effect`);
  }

  /** Lets the operator wait in the middle of its work while this is done. */
  interrupt({ afterCalls, when }: Moment, act: () => Promise<void>): void {
    this.#interruptions.push({ callsLeft: afterCalls, when, act });
  }

  /** Nothing goes wrong any more. */
  calm(): void {
    this.#faults = [];
    this.#interruptions = [];
  }

  /** Ends all open watches with an error. */
  cutWatches(): void {
    this.note('— watches cut');
    for (const cut of this.#cuts) cut.abort(new UnreachableError('the watch was cut'));
  }

  /** Whoever led does so no more: nobody has to wait for its Lease to expire. */
  vacate(): void {
    this.#lease = undefined;
  }

  /** Resolves after `count` more calls, or when the signal aborts. */
  async nextCalls(count: number, signal: AbortSignal): Promise<void> {
    for (let left = count; left > 0 && !signal.aborted; left--) {
      await new Promise<void>((resolve) => {
        const done = () => {
          this.#onCall.delete(done);
          signal.removeEventListener('abort', done);
          resolve();
        };
        this.#onCall.add(done);
        signal.addEventListener('abort', done);
      });
    }
  }

  note(line: string): void {
    this.journal.push(line);
    if (this.journal.length > JOURNAL_LENGTH) this.journal.shift();
  }

  /** One operator's way to an API server. */
  wrap(inner: Transport, at: ClusterName, life: Life, watched: Watched): Transport {
    const way: Way = { inner, at, life, watched };
    return {
      server: inner.server,
      call: async (call, signal) => {
        if (call.path.includes(LEASES)) return this.#leaseCall(call);
        if (call.path.endsWith(PUBLISHED)) return inner.call(call, signal);
        return this.#call(way, call, signal);
      },
      stream: async (call, signal) => this.#stream(way, call, signal),
      close: () => inner.close(),
    };
  }

  async #call(way: Way, call: Call, signal: AbortSignal): Promise<unknown> {
    const { inner, at, life, watched } = way;
    const said = `${at}: ${call.method} ${call.path}`;
    if (call.method !== 'GET') this.writes++;
    if (call.method === 'PATCH' && TUNNEL_STATUS.test(call.path)) this.statusWrites++;
    const acts = this.#due(way, call);
    try {
      for (const act of acts.before) await act();
      life.check();
      const answer = await inner.call(call, signal);
      this.note(said);
      if (call.method === 'GET') watched.listed(call, answer);
      for (const act of acts.after) await act();
      life.check();
      return answer;
    } catch (error) {
      this.note(`${said} ✗ ${error instanceof Error ? error.message : error}`);
      throw error;
    } finally {
      for (const hear of [...this.#onCall]) hear();
    }
  }

  /** What happens around this call. */
  #due({ at, life }: Way, { method, path }: Call): Record<Moment['when'], (() => Promise<void> | void)[]> {
    const acts: Record<Moment['when'], (() => Promise<void> | void)[]> = { before: [], after: [] };
    for (const { when, act } of this.#dueInterruptions()) acts[when].push(act);
    const dies = life.countDown();
    if (dies !== undefined) acts[dies].push(() => life.end());
    const fault = this.#take(at, method === 'GET' ? ['calls'] : ['writes', 'calls']);
    if (fault !== undefined) {
      acts[method === 'GET' ? 'before' : fault.when].push(() => {
        throw errorOf(fault, `${method} ${path}`);
      });
    }
    return acts;
  }

  async #stream({ inner, at, life, watched }: Way, call: Call, signal: AbortSignal) {
    life.check();
    const fault = this.#take(at, ['watches']);
    if (fault !== undefined) throw errorOf(fault, `GET ${call.path}`);
    const cut = new AbortController();
    const either = AbortSignal.any([signal, cut.signal, life.signal]);
    const body = await inner.stream(call, either);
    watched.opened(call);
    return this.#observed(body, watched, call, cut);
  }

  async *#observed(body: AsyncIterable<Uint8Array>, watched: Watched, call: Call, cut: AbortController) {
    this.#cuts.add(cut);
    let rest = '';
    try {
      for await (const chunk of body) {
        const lines = (rest + Buffer.from(chunk).toString()).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) if (line !== '') watched.told(call, line);
        yield chunk;
      }
    } finally {
      this.#cuts.delete(cut);
    }
  }

  #dueInterruptions() {
    const due = this.#interruptions.filter((each) => each.callsLeft-- === 0);
    this.#interruptions = this.#interruptions.filter(({ callsLeft }) => callsLeft >= 0);
    return due;
  }

  #take(at: ClusterName, kinds: readonly Fault['of'][]): Fault | undefined {
    const found = this.#faults.find(({ fault, left }) => left > 0 && fault.at === at && kinds.includes(fault.of));
    if (found !== undefined) found.left--;
    return found?.fault;
  }

  /** One Lease, kept here: it is always answered at once, so that nobody loses it because the machine is busy. */
  #leaseCall({ method, body }: Call): unknown {
    if (method !== 'GET') this.#lease = body;
    if (this.#lease === undefined) throw apiErrorOf(404, '', undefined);
    return this.#lease;
  }
}

/** One process, until it dies. */
export class Life {
  readonly #end = new AbortController();
  #death: { calls: number; readonly when: Moment['when'] } | undefined;

  get signal(): AbortSignal {
    return this.#end.signal;
  }

  /** The process will die like this. */
  doom({ afterCalls, when }: Moment): void {
    this.#death = { calls: afterCalls, when };
  }

  /** It will live after all. */
  spare(): void {
    this.#death = undefined;
  }

  end(): void {
    this.#end.abort(new Error('the process is dead'));
  }

  /** The dead call nobody and hear nothing. */
  check(): void {
    this.#end.signal.throwIfAborted();
  }

  /** Counts one call; says when it is the last. */
  countDown(): Moment['when'] | undefined {
    if (this.#death === undefined) return undefined;
    return this.#death.calls-- === 0 ? this.#death.when : undefined;
  }
}

function errorOf({ trouble }: Fault, said: string): Error {
  switch (trouble) {
    case 'unreachable':
      return new UnreachableError(said, { cause: new Error('connect ECONNREFUSED') });
    case 'internal':
      return new ApiError({ status: 500, reason: 'InternalError', message: 'etcdserver: request timed out' });
    case 'conflict':
      return new ApiError({ status: 409, reason: 'Conflict', message: 'the object has been modified' });
    case 'forbidden':
      return new ApiError({ status: 403, reason: 'Forbidden', message: 'forbidden: an admission webhook said so' });
    case 'throttled':
      return new ApiError({ status: 429, reason: 'TooManyRequests', message: 'slow down', retryAfterSeconds: 1 });
    default: {
      const unreachable: never = trouble;
      throw new RangeError(unreachable);
    }
  }
}
