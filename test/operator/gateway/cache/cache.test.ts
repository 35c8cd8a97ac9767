import { expect } from 'chai';
import { DEFAULT_CACHE } from '../../../../crds/cache.ts';
import { DEFAULT_CIRCUIT_BREAKER } from '../../../../crds/circuit-breaker.ts';
import { Cache } from '../../../../operator/gateway/cache/cache.ts';
import type { CacheTurn } from '../../../../operator/gateway/cache/turn.ts';
import { routeOf } from '../../../../operator/gateway/front/route.ts';
import { TunnelError } from '../../../../operator/gateway/front/tunnel-error.ts';
import type { TunnelView } from '../../../../operator/gateway/sessions/tunnels.ts';
import type { RequestStream } from '../../../../tunnel/session/inflated-stream.ts';
import type { StreamEvents } from '../../../../tunnel/session/stream.ts';
import { SETTINGS } from '../../../support/gateway-fixture.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

const KIBIBYTE = 1024;
/** For whom nothing matters. */
const OWNER = {
  onHead: () => {},
  onData: () => {},
  onEnd: () => {},
  onError: () => {},
  onDrain: () => {},
  onClose: () => {},
};

/** A stream whose answer is the test's to say. */
class Told {
  events: StreamEvents = OWNER;
  readonly stream: RequestStream = {
    attach: (events) => {
      this.events = events;
    },
    write: () => true,
    end: () => {},
    consume: () => {},
    reset: () => {},
    after: () => () => {},
  };

  head(): void {
    this.events.onHead?.({ status: 200, headers: [] });
  }

  data(bytes: number): void {
    this.events.onData(new Uint8Array(bytes));
  }

  answer(bytes: number): void {
    this.head();
    this.data(bytes);
    this.events.onEnd([]);
  }
}

describe('operator/gateway/cache/cache', () => {
  const user = { username: 'alice', uid: '', groups: [], extra: {} };
  let clock: ManualClock;
  let cache: Cache;
  beforeEach(() => {
    clock = new ManualClock();
    cache = new Cache(clock, 2 * 100 * KIBIBYTE);
  });

  function enter(tunnel: string): CacheTurn {
    const route = routeOf({ method: 'GET', url: `/clusters/${tunnel}/version`, headers: [] });
    if (route instanceof TunnelError) throw route;
    const state = { uid: tunnel, isDeleting: false, isSuspended: false, settings: SETTINGS };
    const view: TunnelView = { ...state, name: tunnel, circuitBreaker: DEFAULT_CIRCUIT_BREAKER, cache: DEFAULT_CACHE };
    const allowed = { route, view, user, identity: undefined };
    const asking = { method: 'GET', headers: [], hasBody: false, isUpgrade: false, leftMs: () => 1_000 };
    return cache.enter({ ...asking, allowed });
  }

  /** A request that asks the target, or where it was answered from. */
  function ask(tunnel: string): { turn: CacheTurn; target: Told | undefined } {
    const turn = enter(tunnel);
    let target: Told | undefined;
    const toTarget = () => {
      target = new Told();
      turn.tapped(target.stream).attach(OWNER);
    };
    turn.begin({ fromMemory: () => {}, toTarget });
    return { turn, target };
  }

  function asked(tunnel: string, bytes: number): void {
    const { turn, target } = ask(tunnel);
    target?.answer(bytes);
    turn.leave(false);
  }

  it('forgets where most is remembered when all tunnels together are too much', () => {
    asked('large', 60 * KIBIBYTE);
    asked('small', 30 * KIBIBYTE);
    asked('new', 30 * KIBIBYTE);
    expect(cache.counts.bytes).to.be.within(60 * KIBIBYTE, 62 * KIBIBYTE);
    for (const tunnel of ['small', 'new']) expect(ask(tunnel).turn.result).to.equal('hit');
    expect(ask('large').turn.result).to.equal('miss');
  });

  it('counts what is being collected, and gives up what finds no room', () => {
    const [one, other] = [ask('c1'), ask('c2')];
    one.target?.head();
    one.target?.data(60 * KIBIBYTE);
    other.target?.head();
    other.target?.data(60 * KIBIBYTE);
    expect(cache.counts.bytes).to.be.within(60 * KIBIBYTE, 61 * KIBIBYTE);
    one.target?.events.onEnd([]);
    other.target?.events.onEnd([]);
    for (const { turn } of [one, other]) turn.leave(false);
    expect(ask('c1').turn.result).to.equal('hit');
    expect(ask('c2').turn.result).to.equal('miss');
  });

  it('does not keep what was on its way when its tunnel was forgotten, and counts nothing of it', () => {
    const { turn, target } = ask('c1');
    target?.head();
    target?.data(KIBIBYTE);
    cache.forget('c1');
    expect(cache.counts.bytes).to.equal(0);
    target?.data(KIBIBYTE);
    target?.events.onEnd([]);
    turn.leave(false);
    expect(cache.counts.bytes).to.equal(0);
    expect(ask('c1').turn.result).to.equal('miss');
  });

  it('holds nothing for a client that went away, and leaves no timer', () => {
    const { turn, target } = ask('c1');
    target?.head();
    target?.data(KIBIBYTE);
    const waiting = ask('c1');
    expect(waiting).to.deep.include({ target: undefined });
    expect(clock.pending).to.equal(1);
    waiting.turn.leave(true);
    turn.leave(true);
    expect(clock.pending).to.equal(0);
    expect(cache.counts.bytes).to.equal(0);
    expect(ask('c1').target).to.not.equal(undefined);
  });
});
