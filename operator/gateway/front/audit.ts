import type { LogFields } from '../../../process/log.ts';
import { describeError } from '../../../process/redact.ts';
import { type Trace, traceFields } from '../../../process/trace.ts';
import type { CacheResult } from '../cache/turn.ts';
import type { ExchangeOutcome } from '../sessions/exchange-options.ts';
import { rowOf } from './fault.ts';
import type { HubUser } from './identity.ts';
import type { Route } from './route.ts';
import type { TunnelError } from './tunnel-error.ts';

/** Whatever becomes of a request. */
interface Came {
  readonly trace: Trace;
  /** Of the client. */
  readonly address: string;
  /** undefined: the request could not be read. */
  readonly method?: string;
}

/** Who asked for what of which tunnel. */
interface Asked extends Came {
  readonly allowed: { readonly user: HubUser; readonly route: Route };
  readonly isUpgrade: boolean;
  /** Of what may be remembered: where its answer came from. */
  readonly cache?: CacheResult | undefined;
  /** How it went, if not through the tunnel. */
  readonly via?: 'fallback' | undefined;
}

/** The audit line of a request that was let in: who asked for what, and how it ended. No query: it may hold a command. */
export function auditLine(asked: Asked, outcome: ExchangeOutcome, durationMs: number): LogFields {
  const { user, route } = asked.allowed;
  const { isUpgrade, cache, via } = asked;
  const { error, ...counts } = outcome;
  const line = { ...cameFrom(asked), ...whoIs(user), tunnel: route.tunnel, isUpgrade, cache, via, ...whatIs(route) };
  const end = { ...counts, durationMs: Math.round(durationMs) };
  if (error === undefined || typeof error === 'string') return { ...line, ...end, error };
  const status = outcome.status ?? rowOf(error.kind).status;
  return { ...line, ...end, status, ...errorFields(error), error: error.logged };
}

function cameFrom({ trace, address, method }: Came): LogFields {
  return { ...traceFields(trace), address, method };
}

/** Names of resources say more than paths. */
function whatIs({ info, plainPath: path }: Route): LogFields {
  const { isResourceRequest, verb, apiGroup, resource, subresource, namespace, name } = info;
  return isResourceRequest ? { verb, apiGroup, resource, subresource, namespace, name } : { verb, path };
}

/** Both names of who acts as another. */
function whoIs({ username, impersonatedBy }: HubUser): LogFields {
  return impersonatedBy === undefined ? { user: username } : { user: username, impersonatedBy };
}

/** The audit line of a list of tunnels. */
export function listingLine(came: Came, user: HubUser, items: number): LogFields {
  return { ...cameFrom(came), ...whoIs(user), verb: 'list', resource: 'clusters', status: 200, items };
}

/** The audit line of a request that was not let in. */
export function refusalLine(error: TunnelError, came: Came): LogFields {
  const { user, tunnel, path, kind } = error;
  const what = { ...cameFrom(came), user, tunnel, path, status: rowOf(kind).status };
  return { ...what, ...errorFields(error), error: error.logged };
}

/** The audit line of a client that went away before it was let in. */
export function cancelledLine(came: Came): LogFields {
  return { ...cameFrom(came), error: 'cancelled' };
}

/** What an error tells an operator: where, what, and what is underneath. */
export function errorFields({ code, hop, cause }: TunnelError): LogFields {
  return { code, hop, cause: cause === undefined ? undefined : describeError(cause) };
}
