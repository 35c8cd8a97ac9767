import { type AccessSettings, PROBE_USER } from '../crds/access-settings.ts';
import { canPassAsExtra } from '../crds/extra-keys.ts';
import { readOnlyTrouble } from '../tunnel/read-only.ts';
import { crossing, headerOf, headerTrouble } from '../tunnel/request-headers.ts';
import { pathTrouble } from '../tunnel/request-path.ts';
import type { Identity, RawHeaders, RequestHead } from '../tunnel/wire/head.ts';
import { isServedProtocol, upgradeProtocol, withoutUpgrade } from './upgrade-protocol.ts';

/** Methods that an API server knows. No CONNECT, no TRACE. */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
/** WebSocket asks with GET, SPDY with either. */
const UPGRADE_METHODS: ReadonlySet<string> = new Set(['GET', 'POST']);
/** The one system group that says nothing about rights. */
const AUTHENTICATED = 'system:authenticated';
const RESERVED_PREFIX = 'system:';
/**
 * What can be a header value and come back the same: visible ASCII, spaces only inside. Kubernetes percent-decodes no
 * user name, so a name with other bytes cannot be sent.
 */
const HEADER_SAFE = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/;

/**
 * Why this request may not go upstream; undefined when it may. The agent holds the credential, so it checks again what the
 * gateway has checked, and refuses what the gateway should have removed: Kubernetes RBAC has no rule that denies.
 */
export function denial(head: RequestHead, said: AccessSettings): string | undefined {
  const { method, path, headers, identity, isUpgrade } = head;
  const access = isProbe(head) ? { ...said, users: [] } : said;
  if (!METHODS.has(method)) return `method ${JSON.stringify(method.slice(0, 16))} is not served`;
  const asked = isUpgrade ? upgradeDenial(head) : undefined;
  return (
    asked ??
    pathTrouble(path) ??
    headersDenial(isUpgrade ? withoutUpgrade(headers) : headers) ??
    (access.readOnly ? readOnlyTrouble(head) : undefined) ??
    identityDenial(identity, access)
  );
}

/** One of the two protocols, asked for once, with nothing that a server could take for the body of an ordinary request. */
function upgradeDenial({ method, headers, isLongRunning }: RequestHead): string | undefined {
  if (!UPGRADE_METHODS.has(method)) return `an upgrade is asked for with GET or POST, not ${method}`;
  const protocol = upgradeProtocol(headers);
  if (protocol === undefined) return 'an upgrade needs exactly one Upgrade header';
  if (!isServedProtocol(protocol)) return `upgrades to ${quoted(protocol)} are not served: only websocket and SPDY/3.1`;
  if ((headerOf(headers, 'content-length') ?? '0') !== '0') return 'an upgrade has no request body';
  return isLongRunning ? undefined : 'an upgrade is a long-running request';
}

/** What the gateway would have removed: hop-by-hop fields, identity, credentials, names with `_`. */
function headersDenial(headers: RawHeaders): string | undefined {
  const trouble = headerTrouble(headers);
  if (trouble !== undefined) return trouble.message;
  const kept = crossing(headers);
  const at = headers.findIndex((text, index) => text !== kept[index]);
  if (at < 0) return undefined;
  return `header ${JSON.stringify((headers[at - (at % 2)] ?? '').slice(0, 64))} may not cross the tunnel`;
}

/**
 * Fails closed: without a complete identity the request would run with the agent's own rights. Those it lends only to a
 * tunnel that says so, in OPEN and in CONFIG.
 */
function identityDenial(identity: Identity | undefined, access: AccessSettings): string | undefined {
  if (access.mode === 'Agent') {
    return identity === undefined ? undefined : 'the request names a user, and this tunnel acts as its agent';
  }
  if (identity === undefined || identity.user === '') {
    return 'the request carries no identity, and the agent lends nobody its own rights';
  }
  const { user, uid, groups } = identity;
  if (!HEADER_SAFE.test(user)) return `user ${quoted(user)} cannot be sent: names are visible ASCII`;
  if (uid !== '' && !HEADER_SAFE.test(uid)) return `uid ${quoted(uid)} cannot be sent: it must be visible ASCII`;
  const unsafe = groups.find((group) => !HEADER_SAFE.test(group));
  if (unsafe !== undefined) return `group ${quoted(unsafe)} cannot be sent: names are visible ASCII`;
  if (user.startsWith(RESERVED_PREFIX)) return `user ${quoted(user)} is reserved: system: users never pass a tunnel`;
  const reserved = groups.find((group) => group.startsWith(RESERVED_PREFIX) && group !== AUTHENTICATED);
  if (reserved !== undefined) return `group ${quoted(reserved)} is reserved: system: groups never pass a tunnel`;
  return unnamed(identity, access) ?? extrasDenial(identity, access);
}

/** Whether the gateway asks by itself if the way holds: that concerns nobody whom spec.access.impersonate could leave out. */
function isProbe({ method, path, identity }: RequestHead): boolean {
  return method === 'GET' && path === '/version' && identity?.user === PROBE_USER && identity.groups.length === 0;
}

/** Whom spec.access.impersonate leaves out: the gateway sends none of them. */
function unnamed({ user, groups }: Identity, access: AccessSettings): string | undefined {
  if (access.users.length > 0 && !access.users.includes(user)) return `user ${quoted(user)} does not pass this tunnel`;
  const other = groups.find((group) => group !== AUTHENTICATED && !access.groups.includes(group));
  if (access.groups.length === 0 || other === undefined) return undefined;
  return `group ${quoted(other)} does not pass this tunnel`;
}

/** Whoever may impersonate extras may claim anything by them: only what the tunnel names, and never what is Kubernetes' own. */
function extrasDenial({ extras = [] }: Identity, access: AccessSettings): string | undefined {
  for (const { key, values } of extras) {
    if (!canPassAsExtra(key)) return `extra ${quoted(key)} is reserved: such keys never pass a tunnel`;
    if (!access.extras.includes(key)) return `extra ${quoted(key)} does not pass this tunnel`;
    if (!values.every((value) => HEADER_SAFE.test(value)))
      return `extra ${quoted(key)} cannot be sent: its values are visible ASCII`;
  }
  return undefined;
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 128));
}
