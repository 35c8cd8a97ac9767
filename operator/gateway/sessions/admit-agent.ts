import type { IncomingMessage } from 'node:http';
import type { AgentKey } from '../../../crds/agent-token.ts';
import { SUBPROTOCOL } from '../../../tunnel/session/settings.ts';
import { suspended } from '../admission/absence.ts';
import { bearerToken } from '../front/route.ts';
import { TunnelError } from '../front/tunnel-error.ts';
import { type FindAgentKey, provenKey } from './agent-token.ts';
import type { Registry } from './registry.ts';
import type { Tunnels, TunnelView } from './tunnels.ts';

/** Ten replicas, old and new ones during a rollout, and room for who comes back before we noticed that he was gone. */
export const MAX_SESSIONS_PER_TUNNEL = 64;

export interface AgentChecks {
  readonly tunnels: Tunnels;
  readonly registry: Registry;
  readonly findKey: FindAgentKey;
}

/** An agent that may connect. */
export interface AdmittedAgent {
  readonly key: AgentKey;
  readonly tunnel: TunnelView;
}

/** Who asks, and may he: the checks before anything is upgraded. */
export function admitAgent(request: IncomingMessage, checks: AgentChecks): AdmittedAgent | TunnelError {
  if (request.headers.origin !== undefined) {
    return new TunnelError('forbidden', 'agents are no browsers: Origin is refused');
  }
  if (!(request.headers['sec-websocket-protocol'] ?? '').split(/\s*,\s*/).includes(SUBPROTOCOL)) {
    return new TunnelError('bad_request', `this gateway speaks ${SUBPROTOCOL}: upgrade the agent or the operator`);
  }
  const key = provenKey(bearerToken(request.rawHeaders) ?? '', checks.findKey);
  if (key === undefined) {
    return new TunnelError('unauthorized', 'the agent token is not valid: apply a fresh manifest or Secret');
  }
  const { tunnel: name } = key;
  const tunnel = tunnelOf(key, checks.tunnels);
  if (tunnel === undefined) {
    const message = `tunnel "${name}" of this token is gone: remove the agent or apply a fresh manifest`;
    return new TunnelError('unauthorized', message, { tunnel: name });
  }
  // No rejection of its credential: the agent goes on asking, and comes back when the tunnel does.
  if (tunnel.isSuspended) return suspended({ tunnel: name });
  if (checks.registry.facts(name).links.length >= MAX_SESSIONS_PER_TUNNEL) {
    const message = `tunnel "${name}" has ${MAX_SESSIONS_PER_TUNNEL} sessions: run fewer agents`;
    return new TunnelError('stream_limit', message, { tunnel: name });
  }
  return { key, tunnel };
}

/** The tunnel of a key; undefined when it is gone, or a namesake. */
export function tunnelOf({ tunnel, tunnelUid }: AgentKey, tunnels: Tunnels): TunnelView | undefined {
  const view = tunnels.get(tunnel);
  return view === undefined || view.uid !== tunnelUid || view.isDeleting ? undefined : view;
}
