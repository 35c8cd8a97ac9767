import { expect } from 'chai';
import { ApiError, UnreachableError } from '../../../operator/kube/errors.ts';
import { Reachability } from '../../../operator/kube/reachability.ts';
import type { Call, Transport } from '../../../operator/kube/transport.ts';
import { describeError } from '../../../process/redact.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { turns, until } from '../../support/turns.ts';

const never = new AbortController().signal;
const call: Call = { method: 'GET', path: '/api' };
const refused = () => new UnreachableError('GET https://remote/api', { cause: new Error('connect ECONNREFUSED') });

/** A server that answers as it is told, and hangs when told nothing. */
class Script implements Transport {
  readonly server = 'https://remote';
  readonly asked: string[] = [];
  answer: (() => unknown) | undefined = () => 'well';
  isClosed = false;

  async call({ path }: Call, signal: AbortSignal): Promise<unknown> {
    signal.throwIfAborted();
    this.asked.push(path);
    if (this.answer !== undefined) return this.answer();
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
  }

  async stream(asked: Call, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    await this.call(asked, signal);
    return (async function* () {})();
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }

  refuse(): void {
    this.answer = () => {
      throw refused();
    };
  }
}

function started() {
  const clock = new ManualClock();
  const script = new Script();
  const told: (string | undefined)[] = [];
  const onChange = (silence: string | undefined) => told.push(silence);
  return {
    clock,
    script,
    told,
    reachability: new Reachability({ transport: script, clock, random: () => 0, onChange }),
  };
}

async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe('operator/kube/reachability', () => {
  it('lets calls through while the API server answers, be it with a refusal', async () => {
    const { reachability, script, told } = started();
    expect(await reachability.calls.call(call, never)).to.equal('well');
    script.answer = () => {
      throw new ApiError({ status: 403, reason: 'Forbidden', message: 'no' });
    };
    expect(await errorOf(reachability.calls.call(call, never))).to.include({ status: 403 });
    expect(reachability.silence).to.equal(undefined);
    expect(told).to.deep.equal([]);
  });

  it('fails calls at once after one that was not answered, and says why', async () => {
    const { reachability, script, told } = started();
    script.refuse();
    await errorOf(reachability.calls.call(call, never));
    for (let i = 0; i < 100; i++) {
      const error = await errorOf(reachability.calls.call(call, never));
      expect(error).to.be.instanceOf(UnreachableError);
      expect(describeError(error)).to.equal('https://remote does not answer: connect ECONNREFUSED');
    }
    expect(script.asked).to.deep.equal(['/api']);
    expect(told).to.deep.equal(['connect ECONNREFUSED']);
    await reachability.close(new Error('test over'));
  });

  it('asks one probe at a time, ever more slowly, until one is answered', async () => {
    const { reachability, script, clock, told } = started();
    script.refuse();
    await Promise.all([1, 2, 3].map(() => errorOf(reachability.calls.call(call, never))));
    script.asked.length = 0;
    const atMs: number[] = [];
    for (let second = 0; second < 120; second++) {
      clock.advance(500);
      await turns(3);
      if (script.asked.length > atMs.length) atMs.push(second * 500);
    }
    expect(atMs.slice(0, 7)).to.deep.equal([0, 1_000, 3_000, 7_000, 12_000, 17_000, 22_000]);
    script.answer = () => {
      throw new ApiError({ status: 401, reason: 'Unauthorized', message: 'who are you' });
    };
    clock.advance(15_000);
    await until(() => reachability.silence === undefined);
    expect(told).to.deep.equal(['connect ECONNREFUSED', undefined]);
    expect(clock.pending).to.equal(0);
    expect(new Set(script.asked)).to.deep.equal(new Set(['/version']));
  });

  it('tells the newest reason', async () => {
    const { reachability, script, clock } = started();
    script.refuse();
    await errorOf(reachability.calls.call(call, never));
    script.answer = () => {
      throw new UnreachableError('GET https://remote/version', { cause: new Error('no answer in 10000 ms') });
    };
    clock.advance(1_000);
    await until(() => reachability.silence === 'no answer in 10000 ms');
    await reachability.close(new Error('test over'));
  });

  it('lets watches wait, and go on as soon as the API server answers', async () => {
    const { reachability, script, clock } = started();
    script.refuse();
    await errorOf(reachability.watches.stream(call, never));
    const waiting = reachability.watches.stream(call, never);
    const abort = new AbortController();
    const aborted = errorOf(reachability.watches.stream(call, abort.signal));
    await turns();
    expect(script.asked).to.deep.equal(['/api']);
    abort.abort(new Error('enough'));
    expect(await aborted).to.have.property('message', 'enough');
    script.answer = () => 'well';
    clock.advance(1_000);
    await waiting;
    expect(script.asked).to.deep.equal(['/api', '/version', '/api']);
  });

  it('does not take the end of a caller for silence', async () => {
    const { reachability, script } = started();
    script.answer = undefined;
    const abort = new AbortController();
    const aborted = errorOf(reachability.calls.call(call, abort.signal));
    abort.abort(new Error('enough'));
    expect(await aborted).to.have.property('message', 'enough');
    expect(reachability.silence).to.equal(undefined);
  });

  it('does not slow down over silences that lie far apart, but over those that follow each other', async () => {
    const { reachability, script, clock } = started();
    const delayMs = async () => {
      script.refuse();
      await errorOf(reachability.calls.call(call, never));
      script.answer = () => 'well';
      for (let waitedMs = 0; ; waitedMs += 500) {
        await turns(3);
        if (reachability.silence === undefined) return waitedMs;
        clock.advance(500);
      }
    };
    expect(await delayMs()).to.equal(500);
    expect(await delayMs()).to.equal(1_000);
    clock.advance(60_000);
    expect(await delayMs()).to.equal(500);
  });

  it('ends everything when it is closed: calls, waiting watches, probes', async () => {
    const { reachability, script, clock } = started();
    script.answer = undefined;
    const running = errorOf(reachability.calls.call(call, never));
    await turns();
    script.refuse();
    await errorOf(reachability.calls.call(call, never));
    const waiting = errorOf(reachability.watches.call(call, never));
    await turns();
    await reachability.close(new Error('replaced'));
    for (const each of [running, waiting, errorOf(reachability.calls.call(call, never))]) {
      expect(await each).to.have.property('message', 'replaced');
    }
    expect(script.isClosed).to.equal(true);
    expect(clock.pending).to.equal(0);
  });
});
