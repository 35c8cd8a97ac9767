import { createHash } from 'node:crypto';
import type { Identity, RawHeaders } from '../../../tunnel/wire/head.ts';
import type { HubUser } from '../front/identity.ts';
import { valuesOf } from './asked.ts';

/** Everything of a request that an answer may depend on. */
export interface KeyParts {
  /** access.mode. */
  readonly mode: string;
  /** Who asks, to the hub. */
  readonly user: HubUser;
  /** Who he is at the target; undefined: the agent itself. */
  readonly identity: Identity | undefined;
  /** With the query, raw. */
  readonly path: string;
  readonly headers: RawHeaders;
}

/** Equal for requests that must get the same answer, and for no others: 32 bytes, base64 (SHA-256). Tunnels have keys apart. */
export function keyOf({ mode, user, identity, path, headers }: KeyParts): string {
  const { username, uid, groups, extra } = user;
  const extras = Object.entries(extra).map(([name, values]) => [name, asSet(values)] as const);
  const atHub = [username, uid, asSet(groups), extras.sort(([a], [b]) => (a < b ? -1 : 1))];
  const atTarget = identity === undefined ? null : [identity.user, identity.uid, asSet(identity.groups)];
  const asked = [path, valuesOf(headers, 'accept'), valuesOf(headers, 'accept-encoding')];
  return createHash('sha256')
    .update(JSON.stringify([mode, atHub, atTarget, asked]))
    .digest('base64');
}

/** The same for equal sets, whatever their order. */
function asSet(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}
