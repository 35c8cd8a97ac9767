import { Budget } from '../../tunnel/flow/budget.ts';
import { Admission } from './admission/admit.ts';
import { Breaker } from './admission/breaker.ts';
import { Cache } from './cache/cache.ts';
import { Fallbacks } from './fallback/fallbacks.ts';
import type { FindTarget } from './fallback/target.ts';
import type { GatewayOptions } from './gateway-options.ts';
import { type AskThrough, Ways } from './health/ways.ts';
import { NO_METER } from './meter.ts';
import { BudgetShares } from './sessions/budget-shares.ts';
import { Hub } from './sessions/hub.ts';
import { oneProbeEach } from './sessions/probe.ts';
import { Registry } from './sessions/registry.ts';
import { Unsettled } from './sessions/unsettled.ts';

export type Inner = ReturnType<typeof innerParts>;

/** What knows of sessions and of who waits for them. */
export function innerParts(options: GatewayOptions) {
  const { clock, random, tunnels, maxBufferBytes, meter = NO_METER } = options;
  const budget = new Budget(maxBufferBytes);
  const cache = new Cache(clock, maxBufferBytes);
  const registry = registryFor(options, (tunnel) => {
    cache.forget(tunnel);
    ways.forget(tunnel);
  });
  const ask = oneProbeEach((tunnel) => registry.facts(tunnel).links, clock);
  const breaker = breakerFor(options, ask, (tunnel) => admission.changed(tunnel));
  const admission: Admission = new Admission({
    ...{ registry, tunnels, budget, breaker, clock, random },
    onWaited: (tunnel, waitedMs) => meter.waited(tunnel, waitedMs),
  });
  const ways: Ways = waysFor(options, { registry, breaker, admission, ask });
  const budgets = new BudgetShares(budget);
  const fallbacks = fallbacksFor(options, { budget, budgets });
  budget.onFreed = () => {
    admission.freed();
    fallbacks.freed();
  };
  const unsettled = new Unsettled(clock);
  const onRoom = (tunnel: string) => {
    admission.changed(tunnel);
    breaker.roomCame(tunnel);
    ways.roomCame(tunnel);
  };
  const hub = new Hub({ ...options, registry, unsettled, budgets, meter, onRoom });
  return { budget, cache, registry, breaker, ways, admission, unsettled, hub, fallbacks };
}

const NO_TARGET: ReturnType<FindTarget> = { trouble: { reason: 'KubeconfigMissing', message: 'No Secrets are read.' } };

function fallbacksFor(
  { tunnels, findFallback, clock, log, onTunnelChange }: GatewayOptions,
  memory: { readonly budget: Budget; readonly budgets: BudgetShares },
): Fallbacks {
  const findTarget = findFallback ?? (() => NO_TARGET);
  return new Fallbacks({ tunnels, findTarget, ...memory, clock, log, onChange: onTunnelChange });
}

/** `forget`: what is remembered of a tunnel goes with its last session. */
function registryFor({ clock, onTunnelChange }: GatewayOptions, forget: (tunnel: string) => void): Registry {
  const registry: Registry = new Registry(clock, (tunnel) => {
    // Whoever comes next may be in front of another API server.
    if (registry.facts(tunnel).links.length === 0) forget(tunnel);
    onTunnelChange(tunnel);
  });
  return registry;
}

/** `wake`: who waits for this tunnel is told. */
function breakerFor(options: GatewayOptions, ask: AskThrough, wake: (tunnel: string) => void): Breaker {
  return new Breaker({
    ...options,
    ask,
    onChange: (tunnel) => {
      // Not from inside the event that told of it.
      queueMicrotask(() => wake(tunnel));
      options.onTunnelChange(tunnel);
    },
  });
}

interface Watched {
  readonly registry: Registry;
  readonly breaker: Breaker;
  readonly admission: Admission;
  readonly ask: AskThrough;
}

function waysFor(options: GatewayOptions, { registry, breaker, admission, ask }: Watched): Ways {
  return new Ways({
    ...options,
    isConnected: (tunnel) => registry.facts(tunnel).links.some(({ session }) => session.isOpen),
    isAwaited: (tunnel) => admission.isAwaited(tunnel),
    isCircuitOpen: (tunnel) => breaker.state(tunnel) !== 'closed',
    ask,
    onChange: options.onTunnelChange,
  });
}
