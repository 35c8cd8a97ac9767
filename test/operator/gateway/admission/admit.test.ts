import { expect } from 'chai';
import { Admission } from '../../../../operator/gateway/admission/admit.ts';
import type { Applicant } from '../../../../operator/gateway/admission/applicant.ts';
import type { Breaker } from '../../../../operator/gateway/admission/breaker.ts';
import { TunnelError } from '../../../../operator/gateway/front/tunnel-error.ts';
import type { Registry } from '../../../../operator/gateway/sessions/registry.ts';
import type { TunnelView } from '../../../../operator/gateway/sessions/tunnels.ts';
import type { SlotPool } from '../../../../tunnel/session/gateway-session.ts';
import type { Stream } from '../../../../tunnel/session/stream.ts';
import type { RequestHead } from '../../../../tunnel/wire/head.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { turns } from '../../../support/turns.ts';

/** A session of which only slots and opened heads matter. */
class FakeSession {
  readonly free: Record<SlotPool, number>;
  readonly opened: RequestHead[] = [];
  isOpen = true;
  streamsLeft = 10_000;
  hasReserve = true;

  constructor(free: Partial<Record<SlotPool, number>>) {
    this.free = { ordinary: 0, longRunning: 0, ...free };
  }

  freeSlots = (pool: SlotPool) => this.free[pool];
  hasRoom = (pool: SlotPool) => this.free[pool] > 0 && this.streamsLeft > 0;
  open = (head: RequestHead): Stream | undefined => {
    if (!this.hasReserve) return undefined;
    if (head.path === 'large') throw new RangeError('201 header lines, allowed 200');
    this.free[head.isLongRunning ? 'longRunning' : 'ordinary'] -= 1;
    this.opened.push(head);
    return {} as Stream;
  };
}

describe('operator/gateway/admission/admit', () => {
  let clock: ManualClock;
  let sessions: FakeSession[];
  let awaySinceMs: number | undefined;
  let admission: Admission;
  let isSuspended: boolean;
  let hasReserve: () => boolean;
  let maxQueuedRequests: number;
  let told: string[];
  let refusal: TunnelError | undefined;
  beforeEach(() => {
    clock = new ManualClock();
    sessions = [];
    awaySinceMs = undefined;
    isSuspended = false;
    maxQueuedRequests = 2_000;
    told = [];
    const facts = () => ({ links: sessions.map((session) => ({ session })), lastDisconnect: undefined, awaySinceMs });
    refusal = undefined;
    const breaker: Pick<Breaker, 'refusal'> = { refusal: ({ mayProbe }) => (mayProbe ? undefined : refusal) };
    const tunnels = {
      get: () => {
        const admission = { maxQueuedRequests, rateLimit: { requestsPerSecond: 1, burst: 1 } };
        return { isSuspended, isDeleting: false, admission } as TunnelView;
      },
    };
    hasReserve = () => true;
    const budget = {
      get hasReserve() {
        return hasReserve();
      },
    };
    const registry = { facts } as unknown as Registry;
    admission = new Admission({ registry, tunnels, budget, breaker, clock, random: () => 0.5 });
  });

  function admit(name: string, changes: Partial<Applicant> = {}): () => void {
    const { pool = 'ordinary', requestMs = 1_000 } = changes;
    return admission.admit({
      tunnel: 'c1',
      path: '/api',
      user: 'jane',
      pool,
      isWatch: false,
      isEnd: true,
      requestMs,
      disconnectGraceMs: 100,
      head: (deadlineMs) => ({ path: name, deadlineMs, isLongRunning: pool === 'longRunning' }) as RequestHead,
      onStream: () => told.push(`${name} sent`),
      onError: ({ code }: TunnelError) => told.push(`${name} ${code}`),
      ...changes,
    });
  }

  it('lets requests wait for a tunnel that is older than the gateway: whether it ever connected is not known', () => {
    admit('early', { predatesGateway: true });
    expect(told).to.deep.equal([]);
    clock.advance(100);
    expect(told).to.deep.equal(['early cluster_reconnecting']);
    clock.advance(60_000);
    admit('late', { predatesGateway: true });
    expect(told.at(-1)).to.equal('late cluster_offline');
  });

  it('sends at once when there is room, with the time that is left', () => {
    sessions = [new FakeSession({ ordinary: 1 })];
    admit('a');
    expect(told).to.deep.equal(['a sent']);
    expect(sessions[0]?.opened[0]).to.include({ path: 'a', deadlineMs: 1_000 });
    expect([admission.waiting, clock.pending]).to.deep.equal([0, 0]);
  });

  it('refuses a request whose head does not fit, at once or when its turn comes, and goes on with the others', () => {
    const session = new FakeSession({ ordinary: 1 });
    sessions = [session];
    admit('large');
    expect(told).to.deep.equal(['large headers_too_large']);
    session.free.ordinary = 0;
    for (const name of ['large', 'next']) admit(name);
    session.free.ordinary = 1;
    admission.changed('c1');
    expect(told.slice(1)).to.deep.equal(['large headers_too_large', 'next sent']);
    expect([admission.waiting, clock.pending]).to.deep.equal([0, 0]);
  });

  it('sends a long-running request without a deadline', () => {
    sessions = [new FakeSession({ longRunning: 1 })];
    admit('a', { pool: 'longRunning' });
    expect(sessions[0]?.opened[0]?.deadlineMs).to.equal(0);
  });

  it('lets a long-running request wait for a worker as long as any, not for ever', () => {
    sessions = [new FakeSession({})];
    admit('a', { pool: 'longRunning' });
    clock.advance(999);
    expect(told).to.deep.equal([]);
    clock.advance(1);
    expect(told).to.deep.equal(['a queue_timeout']);
  });

  it('counts from when a request first came', () => {
    sessions = [new FakeSession({ ordinary: 1 })];
    const enteredMs = clock.nowMs();
    clock.advance(400);
    admit('a', { enteredMs });
    expect(sessions[0]?.opened[0]?.deadlineMs).to.equal(600);
    admit('b', { enteredMs });
    clock.advance(600);
    expect(told).to.deep.equal(['a sent', 'b queue_timeout']);
  });

  it('serves those who wait for the budget in turn, and asks no further once it is out', () => {
    let reserves = 0;
    const session = new FakeSession({ ordinary: 50 });
    const { open } = session;
    let asked = 0;
    session.open = (head) => {
      asked += 1;
      return reserves-- > 0 ? open(head) : undefined;
    };
    sessions = [session];
    for (const name of ['c1', 'c2', 'c3', 'c4']) admit(name, { tunnel: name });
    hasReserve = () => reserves > 0;
    asked = 0;
    reserves = 1;
    admission.changed('other');
    expect([told, asked]).to.deep.equal([['c1 sent'], 1]);
    reserves = 1;
    admission.changed('other');
    expect(told).to.deep.equal(['c1 sent', 'c2 sent']);
    reserves = 9;
    admission.changed('other');
    expect(told).to.have.length(4);
    expect([admission.waiting, clock.pending]).to.deep.equal([0, 0]);
  });

  it('asks those who wait for memory in turn when some of it becomes free, once however often that is told', async () => {
    const session = new FakeSession({ ordinary: 50 });
    session.hasReserve = false;
    sessions = [session];
    for (const name of ['c1', 'c2']) admit(name, { tunnel: name });
    let asked = 0;
    const { open } = session;
    session.open = (head) => {
      asked += 1;
      return open(head);
    };
    for (let at = 0; at < 9; at++) admission.freed();
    await turns();
    expect([told, asked]).to.deep.equal([[], 2]);
    session.hasReserve = true;
    admission.freed();
    await turns();
    expect(told).to.deep.equal(['c1 sent', 'c2 sent']);
  });

  it('wakes who waited for the budget when another tunnel gave it back', () => {
    const session = new FakeSession({ ordinary: 5 });
    session.hasReserve = false;
    sessions = [session];
    admit('a');
    session.hasReserve = true;
    admission.changed('c2');
    expect(told).to.deep.equal(['a sent']);
    expect([admission.waiting, clock.pending]).to.deep.equal([0, 0]);
  });

  it('sends in order as room comes, with what time is left then', () => {
    const session = new FakeSession({});
    sessions = [session];
    for (const name of ['a', 'b', 'c']) admit(name);
    clock.advance(400);
    session.free.ordinary = 2;
    admission.changed('c1');
    expect(told).to.deep.equal(['a sent', 'b sent']);
    expect(session.opened.map(({ deadlineMs }) => deadlineMs)).to.deep.equal([600, 600]);
    expect(admission.waiting).to.equal(1);
  });

  it('lets nobody pass those who wait', () => {
    const session = new FakeSession({});
    sessions = [session];
    admit('a');
    session.free.ordinary = 1;
    admit('b');
    expect(told).to.deep.equal([]);
    admission.changed('c1');
    expect(told).to.deep.equal(['a sent']);
  });

  it('keeps the pools apart', () => {
    sessions = [new FakeSession({ longRunning: 1 })];
    admit('a');
    admit('b', { pool: 'longRunning' });
    expect(told).to.deep.equal(['b sent']);
    expect(admission.waiting).to.equal(1);
  });

  it('waits when the budget has no reserve, though there are slots', () => {
    const session = new FakeSession({ ordinary: 5 });
    session.hasReserve = false;
    sessions = [session];
    admit('a');
    expect(admission.waiting).to.equal(1);
    session.hasReserve = true;
    admission.changed('c1');
    expect(told).to.deep.equal(['a sent']);
  });

  it('says no at the deadline, and nothing afterwards', () => {
    sessions = [new FakeSession({})];
    admit('a');
    clock.advance(1_000);
    expect(told).to.deep.equal(['a queue_timeout']);
    (sessions[0] as FakeSession).free.ordinary = 1;
    admission.changed('c1');
    expect(told).to.have.length(1);
    expect([admission.waiting, clock.pending]).to.deep.equal([0, 0]);
  });

  it('shortens the wait when the tunnel goes, and lengthens it when it comes back', () => {
    sessions = [new FakeSession({})];
    admit('a');
    clock.advance(500);
    const [session] = sessions;
    sessions = [];
    awaySinceMs = clock.nowMs();
    admission.changed('c1');
    clock.advance(99);
    expect(told).to.deep.equal([]);
    sessions = [session as FakeSession];
    awaySinceMs = undefined;
    admission.changed('c1');
    clock.advance(300);
    expect(told).to.deep.equal([]);
    clock.advance(101);
    expect(told).to.deep.equal(['a queue_timeout']);
  });

  it('gives up after the grace while the tunnel is away', () => {
    awaySinceMs = clock.nowMs();
    admit('a');
    clock.advance(100);
    expect(told).to.deep.equal(['a cluster_reconnecting']);
  });

  it('says offline at once when the tunnel never was there', () => {
    admit('a');
    admit('b', { isWatch: true, pool: 'longRunning' });
    expect(told).to.deep.equal(['a cluster_offline', 'b cluster_offline']);
    expect(clock.pending).to.equal(0);
  });

  it('never sends who left', () => {
    const session = new FakeSession({});
    sessions = [session];
    const leave = admit('a');
    leave();
    leave();
    session.free.ordinary = 1;
    admission.changed('c1');
    expect([told, admission.waiting, clock.pending]).to.deep.equal([[], 0, 0]);
  });

  it('lets 2,000 wait for each pool of a tunnel, and no more', () => {
    sessions = [new FakeSession({})];
    for (let at = 0; at < 2_000; at++) admit(`a${at}`);
    admit('late');
    expect(told).to.deep.equal(['late queue_full']);
    admit('other', { tunnel: 'c2' });
    admit('watch', { pool: 'longRunning' });
    expect(admission.waiting).to.equal(2_002);
    admission.clear('c1');
    expect(admission.waiting).to.equal(1);
    admission.clear('c2');
    expect(clock.pending).to.equal(0);
  });

  it('follows a tunnel that lets more or fewer wait; who waits already may stay', () => {
    sessions = [new FakeSession({})];
    maxQueuedRequests = 1;
    for (const name of ['a', 'b']) admit(name);
    expect(told).to.deep.equal(['b queue_full']);
    maxQueuedRequests = 3;
    for (const name of ['c', 'd', 'e']) admit(name);
    expect(told).to.deep.equal(['b queue_full', 'e queue_full']);
    maxQueuedRequests = 0;
    admit('f');
    expect([told.at(-1), admission.waiting]).to.deep.equal(['f queue_full', 3]);
  });

  it('lets the user with most requests make room for another when the queue is full', () => {
    sessions = [new FakeSession({})];
    maxQueuedRequests = 3;
    for (const name of ['a', 'b', 'c']) admit(name);
    admit('d', { user: 'joe' });
    expect(told).to.deep.equal(['c queue_full']);
    (sessions[0] as FakeSession).free.ordinary = 2;
    admission.changed('c1');
    expect(told).to.deep.equal(['c queue_full', 'a sent', 'd sent']);
  });

  it('lets no more run and wait than the open sessions may carry, of either pool', () => {
    const [full, other] = [new FakeSession({}), new FakeSession({})];
    sessions = [full, other];
    full.streamsLeft = 0;
    other.streamsLeft = 2;
    admit('a');
    admit('b', { pool: 'longRunning' });
    admit('c', { user: 'joe' });
    expect(told).to.deep.equal(['c stream_limit']);
    other.isOpen = false;
    admit('d');
    expect(told.at(-1), 'one that leaves carries nobody who waits').to.equal('d stream_limit');
    full.isOpen = false;
    admit('e');
    expect(admission.waiting, 'the next session may carry them').to.equal(3);
    expect(told).to.have.length(2);
  });

  it('lets the user with most requests make room for another there too', () => {
    const session = new FakeSession({});
    sessions = [session];
    session.streamsLeft = 3;
    for (const name of ['a', 'b', 'c']) admit(name);
    admit('d', { user: 'joe' });
    expect(told).to.deep.equal(['c stream_limit']);
    expect(admission.waiting).to.equal(3);
  });

  it('reads the deadlines of who waits again when a tunnel comes that never was there', () => {
    admit('early', { predatesGateway: true });
    sessions = [new FakeSession({})];
    admission.changed('c1');
    clock.advance(999);
    expect(told).to.deep.equal([]);
    clock.advance(1);
    expect(told).to.deep.equal(['early queue_timeout']);
  });

  it('takes the same time for a slot that comes free, however many wait', () => {
    const session = new FakeSession({});
    sessions = [session];
    for (let at = 0; at < 2_000; at++) admit(`a${at}`);
    let looks = 0;
    const { nowMs } = clock;
    clock.nowMs = () => {
      looks += 1;
      return nowMs.call(clock);
    };
    session.free.ordinary = 1;
    admission.changed('c1');
    expect([told, admission.waiting]).to.deep.equal([['a0 sent'], 1_999]);
    expect(looks).to.be.below(10);
    admission.clear('c1');
  });

  it('opens nothing at a suspended tunnel and lets nobody wait, though there is room', () => {
    sessions = [new FakeSession({ ordinary: 0, longRunning: 1 })];
    admit('early');
    isSuspended = true;
    admission.clear('c1');
    admit('late');
    admit('watch', { pool: 'longRunning', isWatch: true });
    (sessions[0] as FakeSession).free.ordinary = 1;
    admission.changed('c1');
    expect(told).to.deep.equal(['early cluster_offline', 'late cluster_offline', 'watch cluster_offline']);
    expect([admission.waiting, clock.pending, sessions[0]?.opened.length]).to.deep.equal([0, 0, 0]);
    isSuspended = false;
    admit('again');
    expect(told.at(-1)).to.equal('again sent');
  });

  describe('while the breaker refuses', () => {
    beforeEach(() => {
      refusal = new TunnelError('circuit_open', 'open');
    });

    it('tells who comes at once, and opens nothing though there is room', () => {
      sessions = [new FakeSession({ ordinary: 1 })];
      admit('a');
      expect([told, admission.waiting, sessions[0]?.opened.length]).to.deep.equal([['a circuit_open'], 0, 0]);
    });

    it('tells who waits for room when it is asked next, in line before who may go', () => {
      sessions = [new FakeSession({})];
      refusal = undefined;
      for (const name of ['a', 'b']) admit(name);
      admit('probe', { mayProbe: true });
      refusal = new TunnelError('circuit_open', 'open');
      admission.changed('c1');
      expect([told, admission.waiting]).to.deep.equal([['a circuit_open', 'b circuit_open'], 1]);
      (sessions[0] as FakeSession).free.ordinary = 1;
      admission.changed('c1');
      expect(told.at(-1)).to.equal('probe sent');
      expect([admission.waiting, clock.pending]).to.deep.equal([0, 0]);
    });

    it('says of a tunnel that is away, suspended or never came what it would say anyway', () => {
      admit('never');
      awaySinceMs = clock.nowMs();
      admit('away');
      clock.advance(100);
      isSuspended = true;
      admit('suspended');
      expect(told).to.deep.equal(['never cluster_offline', 'away cluster_reconnecting', 'suspended cluster_offline']);
    });
  });

  it('tells everybody to go elsewhere when the gateway leaves, and whoever comes later', () => {
    sessions = [new FakeSession({})];
    admit('a');
    admit('b', { pool: 'longRunning' });
    admit('c', { tunnel: 'c2' });
    admission.drain();
    admit('d');
    expect(told).to.deep.equal(['a draining', 'b draining', 'c draining', 'd draining']);
    expect([admission.waiting, clock.pending]).to.deep.equal([0, 0]);
  });
});
