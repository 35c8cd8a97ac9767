import type { LogFields } from '../../../process/log.ts';
import { describeError } from '../../../process/redact.ts';
import { type Trace, traceFields } from '../../../process/trace.ts';
import type { CacheResult } from '../cache/turn.ts';
import type { ExchangeOutcome } from '../sessions/exchange-options.ts';
import { rowOf } from './fault.ts';
import type { HubUser } from './identity.ts';
import type { Peer } from './peer.ts';
import type { Route } from './route.ts';
import type { TunnelError } from './tunnel-error.ts';

/** Who asked for what of which tunnel. */
export interface Asked {
  readonly trace: Trace;
  readonly user: HubUser;
  readonly route: Route;
  readonly method: string;
  readonly isUpgrade: boolean;
  /** Of what may be remembered: where its answer came from. */
  readonly cache?: CacheResult | undefined;
}

/** The audit line of a request that was let in: who asked for what, and how it ended. No query: it may hold a command. */
export function auditLine(
  { trace, user, route, method, isUpgrade, cache }: Asked,
  outcome: ExchangeOutcome,
): LogFields {
  const { verb, apiGroup, resource, subresource, namespace, name } = route.info;
  const { error, ...counts } = outcome;
  const asked = { ...traceFields(trace), ...whoIs(user), tunnel: route.tunnel, method, isUpgrade, cache };
  const what = { verb, apiGroup, resource, subresource, namespace, name };
  if (error === undefined || typeof error === 'string') return { ...asked, ...what, ...counts, error };
  return { ...asked, ...what, ...counts, ...errorFields(error), error: error.message };
}

/** Both names of who acts as another. */
function whoIs({ username, impersonatedBy }: HubUser): LogFields {
  return impersonatedBy === undefined ? { user: username } : { user: username, impersonatedBy };
}

/** The audit line of a list of tunnels. */
export function listingLine(
  { trace, user, method }: Pick<Asked, 'trace' | 'user' | 'method'>,
  items: number,
): LogFields {
  return { ...traceFields(trace), ...whoIs(user), method, verb: 'list', resource: 'clusters', status: 200, items };
}

/** Somebody who was not let in. */
interface Outsider extends Pick<Asked, 'trace'>, Pick<Peer, 'address'> {
  /** undefined: the request could not be read. */
  readonly method?: string;
}

/** The line of a request that was not let in. */
export function refusalLine(error: TunnelError, { method, trace, address }: Outsider): LogFields {
  const { tunnel, path, message: reason, kind } = error;
  const what = { ...traceFields(trace), method, address, tunnel, path, status: rowOf(kind).status, reason };
  return { ...what, ...errorFields(error) };
}

/** The line of a client that went away before it was let in. */
export function cancelledLine({ method, trace, address }: Outsider): LogFields {
  return { ...traceFields(trace), method, address, error: 'cancelled' };
}

/** What an error tells an operator: where, what, and what is underneath. */
export function errorFields({ code, hop, cause }: TunnelError): LogFields {
  return { code, hop, cause: cause === undefined ? undefined : describeError(cause) };
}
