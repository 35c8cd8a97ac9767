import { expect } from 'chai';
import fc from 'fast-check';
import { DialError } from '../../agent/dial.ts';
import { Dialer } from '../../agent/dialer.ts';
import { redialDelay } from '../../agent/redial-delay.ts';
import { silentLogger } from '../../process/log.ts';
import { Budget } from '../../tunnel/flow/budget.ts';
import { AgentSession } from '../../tunnel/session/agent-session.ts';
import { DEFAULT_SETTINGS } from '../../tunnel/session/settings.ts';
import type { Transport } from '../../tunnel/session/transport.ts';
import { ErrorCode } from '../../tunnel/wire/codes.ts';
import type { Previous } from '../../tunnel/wire/documents.ts';
import { GatewayEnd, HELLO } from '../conformance/harness.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { type TransportPair, transportPair, turn } from '../support/transport-pair.ts';
import { until } from '../support/turns.ts';

/** A connection attempt that waits for the test's decision. */
interface Attempt {
  readonly accept: () => Link;
  readonly fail: (error: Error) => void;
}

interface Link {
  readonly pair: TransportPair;
  readonly gateway: GatewayEnd;
  /** What the agent said of the session before. */
  readonly previous: () => Previous | undefined;
}

/** A dialer whose connections a test hands out. */
class Rig {
  readonly clock = new ManualClock();
  readonly attempts: Attempt[] = [];
  readonly links: Link[] = [];
  readonly results: string[] = [];
  inFlight = 0;
  mostInFlight = 0;
  readies = 0;
  hasNewCredential = false;
  readonly dialer: Dialer;

  constructor() {
    this.dialer = new Dialer({
      connect: (signal) => this.#connect(signal),
      open: (transport, introduction, events) =>
        new AgentSession({
          transport,
          clock: this.clock,
          budget: new Budget(2 ** 20),
          random: () => 0.5,
          settings: DEFAULT_SETTINGS,
          hello: { ...HELLO, ...introduction },
          events: { ...events, onStream: (stream) => stream.attach(IDLE), onConfig: () => {} },
        }),
      hasNewCredential: async () => this.hasNewCredential,
      backoff: () => ({ minMs: 1_000, maxMs: 30_000 }),
      clock: this.clock,
      random: () => 0.5,
      log: silentLogger,
      onReady: () => {
        this.readies += 1;
      },
      onDialed: (result) => this.results.push(result),
    });
  }

  /** The attempt in flight. */
  get last(): Attempt {
    const attempt = this.attempts.at(-1);
    if (attempt === undefined) throw new Error('nothing was dialled');
    return attempt;
  }

  /** Accepts the attempt in flight and greets. */
  async ready(): Promise<Link> {
    const readies = this.readies;
    const link = this.last.accept();
    await until(() => this.readies > readies);
    return link;
  }

  /** Moves time on in small steps, heartbeats answered. */
  async later(byMs: number): Promise<void> {
    for (let leftMs = byMs; leftMs > 0; leftMs -= 1_000) {
      this.clock.advance(Math.min(leftMs, 1_000));
      for (const { pair } of this.links) await pair.settle();
      await turn();
    }
  }

  #connect(signal: AbortSignal): Promise<Transport> {
    this.inFlight += 1;
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
    let onAbort = () => {};
    return new Promise<Transport>((resolve, reject) => {
      onAbort = () => reject(signal.reason);
      signal.addEventListener('abort', onAbort);
      this.attempts.push({
        accept: () => {
          const pair = transportPair();
          const gateway = new GatewayEnd(pair.left);
          const link = { pair, gateway, previous: () => gateway.readies[0]?.previous };
          this.links.push(link);
          resolve(pair.right);
          return link;
        },
        fail: reject,
      });
    }).finally(() => {
      this.inFlight -= 1;
      signal.removeEventListener('abort', onAbort);
    });
  }
}

const IDLE = { onData: () => {}, onEnd: () => {}, onError: () => {}, onDrain: () => {}, onClose: () => {} };
const NEVER = new AbortController().signal;

describe('agent/dialer', () => {
  it('dials once at start and is ready after WELCOME', async () => {
    const rig = new Rig();
    rig.dialer.start();
    rig.dialer.start();
    expect(rig.attempts).to.have.length(1);
    expect(rig.dialer.ready).to.equal(undefined);
    await rig.ready();
    expect(rig.dialer.state).to.equal('ready');
    expect(rig.dialer.sessions.size).to.equal(1);
    expect(rig.results).to.deep.equal(['ready']);
  });

  it('makes one attempt of ten close events at once', async () => {
    const rig = new Rig();
    rig.dialer.start();
    const { pair } = await rig.ready();
    for (let at = 0; at < 10; at++) {
      pair.drop();
      pair.left.destroy();
      pair.right.close('again');
    }
    await turn();
    expect(rig.dialer.state).to.equal('backoff');
    await rig.later(30_000);
    expect(rig.attempts).to.have.length(2);
    expect(rig.mostInFlight).to.equal(1);
    expect(rig.clock.pending, 'timers of the lost session').to.equal(0);
  });

  it('backs off longer after each failure, and again from the start after a stable session only', async () => {
    const rig = new Rig();
    rig.dialer.start();
    for (const waitMs of [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]) {
      const dialled = rig.attempts.length;
      rig.last.fail(new DialError('refused', false));
      await turn();
      rig.clock.advance(waitMs - 1);
      expect(rig.attempts).to.have.length(dialled);
      rig.clock.advance(1);
      expect(rig.attempts).to.have.length(dialled + 1);
    }
    const brief = await rig.ready();
    brief.pair.drop();
    rig.clock.advance(14_999);
    expect(rig.attempts).to.have.length(8);
    rig.clock.advance(1);
    const stable = await rig.ready();
    await rig.later(60_000);
    stable.pair.drop();
    rig.clock.advance(500);
    expect(rig.attempts).to.have.length(10);
  });

  it('dials the successor at once when the gateway leaves, and lets the old session finish', async () => {
    const rig = new Rig();
    rig.dialer.start();
    const old = await rig.ready();
    await rig.later(60_000);
    const owner = old.gateway.open({}, true);
    await old.pair.settle();
    old.gateway.gateway.session.drain(ErrorCode.Draining, 'the gateway is leaving');
    await old.pair.settle();
    expect(rig.dialer.state).to.equal('connecting');
    expect(rig.dialer.sessions.size).to.equal(1);
    await rig.ready();
    expect(rig.dialer.sessions.size).to.equal(2);
    owner.stream.reset(ErrorCode.Cancel);
    await until(() => rig.dialer.sessions.size === 1);
    expect(rig.dialer.state).to.equal('ready');
    expect(rig.attempts).to.have.length(2);
  });

  it('does not hurry to a gateway that leaves right after it said welcome', async () => {
    const rig = new Rig();
    rig.dialer.start();
    const { gateway, pair } = await rig.ready();
    gateway.gateway.session.drain(ErrorCode.Draining, 'the gateway is leaving');
    await pair.settle();
    expect(rig.dialer.state).to.equal('backoff');
    expect(rig.attempts).to.have.length(1);
  });

  it('asks again rarely once it was rejected a few times, and at once with a new token', async () => {
    const rig = new Rig();
    rig.dialer.start();
    for (let at = 0; at < 3; at++) {
      rig.last.fail(new DialError('401', true));
      await turn();
      rig.clock.advance(4_000);
      expect(rig.attempts).to.have.length(at + 2);
    }
    rig.last.fail(new DialError('401', true));
    await turn();
    await rig.later(59_000);
    expect(rig.attempts).to.have.length(4);
    rig.hasNewCredential = true;
    await rig.later(5_000);
    expect(rig.attempts).to.have.length(5);
    rig.hasNewCredential = false;
    rig.last.fail(new DialError('401', true));
    await turn();
    await rig.later(91_000);
    expect(rig.attempts).to.have.length(6);
    expect(rig.mostInFlight).to.equal(1);
  });

  it('counts a revoked session as a rejection', async () => {
    const rig = new Rig();
    rig.dialer.start();
    for (let at = 0; at < 4; at++) {
      const { gateway, pair } = await rig.ready();
      gateway.gateway.session.close(ErrorCode.Revoked, 'the tunnel was deleted');
      await pair.settle();
      expect(rig.dialer.state).to.equal('backoff');
      if (at < 3) await rig.later(8_000);
    }
    expect(rig.attempts).to.have.length(4);
    await rig.later(59_000);
    expect(rig.attempts).to.have.length(4);
  });

  it('backs off longer and longer while somebody else takes its place, however long it had it', async () => {
    const rig = new Rig();
    rig.dialer.start();
    for (const waitMs of [500, 1_000, 2_000]) {
      const { gateway, pair } = await rig.ready();
      await rig.later(60_000);
      gateway.gateway.session.close(ErrorCode.Replaced, 'a newer session took its place');
      await pair.settle();
      expect(rig.dialer.state).to.equal('backoff');
      const dialled = rig.attempts.length;
      rig.clock.advance(waitMs - 1);
      expect(rig.attempts).to.have.length(dialled);
      rig.clock.advance(1);
      expect(rig.attempts).to.have.length(dialled + 1);
    }
    expect((await rig.ready()).previous(), 'it was told of its end').to.equal(undefined);
  });

  describe('what it says of the session before', () => {
    const lose = async (rig: Rig, { pair }: Link) => {
      pair.drop();
      await rig.later(30_000);
    };
    const SESSION = 'session';

    it('is nothing at first, and that this is its first connection', async () => {
      const rig = new Rig();
      rig.dialer.start();
      const { gateway } = await rig.ready();
      expect(gateway.readies).to.deep.equal([{ ...HELLO, connection: 0 }]);
    });

    it('is which request it saw last, once the session was lost', async () => {
      const rig = new Rig();
      rig.dialer.start();
      const first = await rig.ready();
      first.gateway.open();
      first.gateway.open();
      await first.pair.settle();
      await lose(rig, first);
      const second = await rig.ready();
      expect(second.previous()).to.deep.equal({ sessionId: SESSION, lastStreamId: 2 });
      await lose(rig, second);
      const third = await rig.ready();
      expect(third.previous(), 'of the session before, not of an older one').to.deep.equal({
        sessionId: SESSION,
        lastStreamId: 0,
      });
    });

    it('is said again until a gateway has welcomed it', async () => {
      const rig = new Rig();
      rig.dialer.start();
      const first = await rig.ready();
      first.gateway.open();
      await first.pair.settle();
      await lose(rig, first);
      rig.last.fail(new DialError('refused', false));
      await rig.later(30_000);
      const { pair, previous } = rig.last.accept();
      // HELLO arrives, WELCOME does not.
      pair.left.stall();
      await until(() => previous() !== undefined);
      await lose(rig, { pair } as Link);
      expect((await rig.ready()).previous()).to.deep.equal({ sessionId: SESSION, lastStreamId: 1 });
    });

    for (const leaver of ['gateway', 'agent'] as const) {
      it(`is nothing when the ${leaver} said goodbye`, async () => {
        const rig = new Rig();
        rig.dialer.start();
        const first = await rig.ready();
        first.gateway.open();
        await first.pair.settle();
        const ending = leaver === 'gateway' ? first.gateway.gateway : [...rig.dialer.sessions][0];
        ending?.session.close(ErrorCode.Internal, 'bye');
        await first.pair.settle();
        await rig.later(30_000);
        expect((await rig.ready()).previous()).to.equal(undefined);
      });
    }

    it('is not what became of a session that drained meanwhile', async () => {
      const rig = new Rig();
      rig.dialer.start();
      const old = await rig.ready();
      await rig.later(60_000);
      old.gateway.open();
      await old.pair.settle();
      old.gateway.gateway.session.drain(ErrorCode.Draining, 'the gateway is leaving');
      await old.pair.settle();
      const next = await rig.ready();
      for (let at = 0; at < 3; at++) next.gateway.open();
      await next.pair.settle();
      next.pair.drop();
      old.pair.drop();
      await rig.later(30_000);
      expect((await rig.ready()).previous()).to.deep.equal({ sessionId: SESSION, lastStreamId: 3 });
    });
  });

  describe('stop', () => {
    it('gives up an attempt under way', async () => {
      const rig = new Rig();
      rig.dialer.start();
      await rig.dialer.stop(NEVER);
      await turn();
      expect(rig).to.include({ inFlight: 0 });
      expect(rig.dialer.state).to.equal('idle');
    });

    it('ends a backoff for good', async () => {
      const rig = new Rig();
      rig.dialer.start();
      rig.last.fail(new DialError('refused', false));
      await turn();
      await rig.dialer.stop(NEVER);
      expect(rig.clock.pending).to.equal(0);
      rig.clock.advance(3_600_000);
      expect(rig.attempts).to.have.length(1);
    });

    it('drops a connection that opens too late', async () => {
      const rig = new Rig();
      rig.dialer.start();
      const { pair } = rig.last.accept();
      await rig.dialer.stop(NEVER);
      await pair.settle();
      expect(rig.dialer.sessions.size).to.equal(0);
      expect(rig.dialer.state).to.equal('idle');
    });

    it('says goodbye, lets streams finish, and then ends', async () => {
      const rig = new Rig();
      rig.dialer.start();
      const { gateway, pair } = await rig.ready();
      const owner = gateway.open({}, true);
      await pair.settle();
      let isStopped = false;
      const stopped = rig.dialer.stop(NEVER).then(() => {
        isStopped = true;
      });
      await pair.settle();
      expect(gateway.leavings).to.have.length(1);
      expect(isStopped).to.equal(false);
      owner.stream.reset(ErrorCode.Cancel);
      await stopped;
      expect(rig.clock.pending).to.equal(0);
    });

    it('cuts what has not finished when told to', async () => {
      const rig = new Rig();
      rig.dialer.start();
      const { gateway, pair } = await rig.ready();
      const owner = gateway.open({}, true);
      await pair.settle();
      const deadline = new AbortController();
      const stopped = rig.dialer.stop(deadline.signal);
      await pair.settle();
      deadline.abort();
      await stopped;
      await pair.settle();
      expect(owner.error.code).to.equal(ErrorCode.SessionLost);
    });
  });

  it('property: whatever happens in whatever order, at most one attempt is under way', async () => {
    const acts = fc.constantFrom('accept', 'fail', 'reject', 'drop', 'leave', 'revoke', 'wait', 'long');
    await fc.assert(
      fc.asyncProperty(fc.array(acts, { maxLength: 30 }), async (script) => {
        const rig = new Rig();
        rig.dialer.start();
        for (const act of script) await ACTS[act](rig);
        expect(rig.mostInFlight).to.equal(1);
        const deadline = AbortSignal.abort();
        await rig.dialer.stop(deadline);
        expect(rig.dialer.sessions.size).to.equal(0);
        await turn();
        expect(rig.clock.pending).to.equal(0);
      }),
      { numRuns: 60 },
    );
  }).timeout(20_000);
});

const settle = async (rig: Rig) => {
  for (const { pair } of rig.links) await pair.settle();
};
const lastGateway = (rig: Rig) => rig.links.at(-1)?.gateway.gateway.session;

const ACTS = {
  accept: async (rig: Rig) => {
    if (rig.inFlight > 0) rig.last.accept();
    await settle(rig);
  },
  fail: async (rig: Rig) => {
    if (rig.inFlight > 0) rig.last.fail(new DialError('refused', false));
    await turn();
  },
  reject: async (rig: Rig) => {
    if (rig.inFlight > 0) rig.last.fail(new DialError('401', true));
    await turn();
  },
  drop: async (rig: Rig) => {
    for (const { pair } of rig.links) pair.drop();
    await turn();
  },
  leave: async (rig: Rig) => {
    lastGateway(rig)?.drain(ErrorCode.Draining, 'leaving');
    await settle(rig);
  },
  revoke: async (rig: Rig) => {
    lastGateway(rig)?.close(ErrorCode.Revoked, 'revoked');
    await settle(rig);
  },
  wait: (rig: Rig) => rig.later(2_000),
  long: (rig: Rig) => rig.later(61_000),
} as const;

describe('agent/redial-delay', () => {
  it('property: between 0 and maxBackoff, or one to two minutes for who was rejected often', () => {
    const facts = fc.record({
      attempt: fc.integer({ min: 1, max: 100 }),
      rejections: fc.nat({ max: 10 }),
      random: fc.double({ min: 0, max: 0.999, noNaN: true }),
    });
    fc.assert(
      fc.property(facts, (each) => {
        const { delayMs, needsCredential } = redialDelay({ ...each, minMs: 1_000, maxMs: 30_000 });
        expect(needsCredential).to.equal(each.rejections > 3);
        expect(delayMs).to.be.within(needsCredential ? 60_000 : 0, needsCredential ? 120_000 : 30_000);
      }),
    );
  });
});
