import { type AccessSettings, UNSAID_ACCESS } from '../../../crds/access-settings.ts';
import { canPassAsExtra } from '../../../crds/extra-keys.ts';
import type { Extra, Identity } from '../../../tunnel/wire/head.ts';

/** Who somebody is to the hub: what TokenReview says. */
export interface HubUser {
  readonly username: string;
  readonly uid: string;
  readonly groups: readonly string[];
  /** Told to SubjectAccessReview; to a target only what its tunnel names. */
  readonly extra: Readonly<Record<string, readonly string[]>>;
  /** The name of who asks to act as him (`--as`), for the audit line; undefined: he asks himself. */
  readonly impersonatedBy?: string;
}

export const SERVICE_ACCOUNT = /^system:serviceaccount:([a-z0-9-]+):([a-z0-9.-]+)$/;
/** Names that we give ourselves: the controller, and the hub's service accounts. */
const OWN_PREFIX = 'clustertunnel:';
/** The one system group that says nothing about rights. */
export const AUTHENTICATED = 'system:authenticated';
/** Names and groups become header values: anything else could end one header and start the next. */
const HEADER_SAFE = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/;

/** Beside 64 KiB of headers and path this must fit into OPEN (MAX_HEAD_BYTES, 80 KiB). */
const MAX_IDENTITY_BYTES = 14 * 1024;
/** Length that stands before each name on the wire, and count before the values of an extra. */
const PREFIX_BYTES = 2;

type Names = Pick<AccessSettings, 'userPrefix' | 'groupPrefix' | 'users' | 'groups' | 'extras'>;

export type MappedIdentity = { readonly identity: Identity } | { readonly refusal: string };

/**
 * Who a hub user is at the target. Service accounts of the hub become clustertunnel:hub:<namespace>:<name>, because the
 * target has service accounts of the same names; users and groups of `system:` never pass, except system:authenticated:
 * neither as the hub names them nor as the tunnel's prefixes make them. Of his extras only those pass that the tunnel names.
 */
export function identityAtTarget(user: HubUser, access: Names = UNSAID_ACCESS): MappedIdentity {
  const account = SERVICE_ACCOUNT.exec(user.username);
  const name =
    account === null ? `${access.userPrefix}${user.username}` : `${OWN_PREFIX}hub:${account[1]}:${account[2]}`;
  const reserved = account === null ? [user.username, name].find(isReserved) : undefined;
  if (reserved !== undefined) {
    return {
      refusal: `user ${JSON.stringify(reserved)} is reserved: system: and clustertunnel: users never pass a tunnel`,
    };
  }
  if (!isAmong(name, access.users)) {
    return { refusal: `user ${JSON.stringify(name)} does not pass: spec.access.impersonate.users names others` };
  }
  const groups = user.groups.flatMap((group) => groupAtTarget(group, access) ?? []);
  const unsafe = [name, user.uid, ...groups].find((text) => text !== '' && !HEADER_SAFE.test(text));
  if (user.username === '' || unsafe !== undefined) {
    return { refusal: `the name ${JSON.stringify(unsafe ?? name)} cannot be sent to a target: visible ASCII only` };
  }
  const extras = extrasAtTarget(user, access);
  const strange = extras.find(({ values }) => !values.every((value) => HEADER_SAFE.test(value)));
  if (strange !== undefined) {
    return {
      refusal: `extra ${JSON.stringify(strange.key)} cannot be sent to a target: its values are not visible ASCII`,
    };
  }
  return bounded({ user: name, uid: user.uid, groups, ...(extras.length === 0 ? {} : { extras }) });
}

function bounded(identity: Identity): MappedIdentity {
  const { user, uid, groups, extras = [] } = identity;
  const ofExtras = extras.flatMap(({ key, values }) => [key, '', ...values]);
  const bytes = [user, uid, ...groups, ...ofExtras].reduce((sum, text) => sum + text.length + PREFIX_BYTES, 0);
  if (bytes <= MAX_IDENTITY_BYTES) return { identity };
  return { refusal: `the names of user, groups and extras have ${bytes} bytes, allowed ${MAX_IDENTITY_BYTES}` };
}

/** The tunnel may be older than the rule of what it may name. */
function extrasAtTarget({ extra }: HubUser, { extras }: Names): readonly Extra[] {
  return Object.entries(extra)
    .map(([key, values]) => ({ key, values }))
    .filter(({ key, values }) => extras.includes(key) && canPassAsExtra(key) && values.length > 0);
}

/** undefined: it stays at the hub. */
function groupAtTarget(group: string, { groupPrefix, groups }: Names): string | undefined {
  if (group === AUTHENTICATED) return group;
  const name = `${groupPrefix}${group}`;
  if (group === '' || isReserved(group) || isReserved(name)) return undefined;
  return isAmong(name, groups) ? name : undefined;
}

/** An empty list is no limit. */
function isAmong(name: string, list: readonly string[]): boolean {
  return list.length === 0 || list.includes(name);
}

function isReserved(name: string): boolean {
  return name.startsWith('system:') || name.startsWith(OWN_PREFIX);
}
