import type { RawHeaders } from '../../../tunnel/wire/head.ts';
import type { ResourceAttributes } from './authorize.ts';
import { AUTHENTICATED, type HubUser, SERVICE_ACCOUNT } from './identity.ts';

const PREFIX = 'impersonate-';
const EXTRA_PREFIX = 'extra-';
/** Each costs the hub a review. */
const MAX_PARTS = 32;
const AUTHENTICATION_GROUP = 'authentication.k8s.io';

/** Somebody whom a request asks to act as (`--as`, `--as-group`, `--as-uid`). */
export interface Impersonated {
  readonly user: HubUser;
  /** What the hub must allow, each with the verb impersonate. */
  readonly needs: readonly ResourceAttributes[];
}

/**
 * Whom the headers ask to act as: undefined when nobody; a sentence when that cannot be. The rules, and what must be allowed,
 * are the API server's. Source: k8s.io/apiserver pkg/endpoints/filters/impersonation (v0.36).
 */
export function impersonated(headers: RawHeaders): Impersonated | string | undefined {
  const asked = partsOf(headers);
  if (asked.length === 0) return undefined;
  if (asked.length > MAX_PARTS) return `at most ${MAX_PARTS} Impersonate headers are served, not ${asked.length}`;
  const valuesOf = (name: string) => asked.filter((part) => part.name === name).map(({ value }) => value);
  const [[username = '', ...users], [uid = '', ...uids], groups] = [
    valuesOf('user'),
    valuesOf('uid'),
    valuesOf('group'),
  ];
  const extras = asked.filter(({ name }) => name.startsWith(EXTRA_PREFIX));
  if (username === '' || users.length > 0) return 'Impersonate-User must be said once when anything is impersonated';
  if (uids.length > 0) return 'Impersonate-Uid may be said once';
  const known = 1 + valuesOf('uid').length + groups.length + extras.length;
  if (known < asked.length) return 'only Impersonate-User, -Group, -Uid and -Extra-… are served';
  const extra = extraOf(extras);
  const account = SERVICE_ACCOUNT.exec(username);
  const user = { username, uid, groups: allGroups(groups, account?.[1]), extra };
  return {
    user,
    needs: [needFor(username, account), ...groups.map(groupNeed), ...uidNeeds(uid), ...extraNeeds(extra)],
  };
}

/** Names without the prefix, in lower case. */
function partsOf(headers: RawHeaders): { readonly name: string; readonly value: string }[] {
  const parts = [];
  for (let at = 0; at < headers.length; at += 2) {
    const name = (headers[at] ?? '').toLowerCase();
    // Some servers read `_` as `-`: such a name is asked about too, and is none that is served.
    if (!name.replaceAll('_', '-').startsWith(PREFIX)) continue;
    parts.push({ name: name.startsWith(PREFIX) ? name.slice(PREFIX.length) : '', value: headers[at + 1] ?? '' });
  }
  return parts;
}

/** Without groups of its own a service account has those of its kind; nobody is somebody unauthenticated. */
function allGroups(asked: readonly string[], namespace: string | undefined): string[] {
  const ofAccount = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`];
  const groups = asked.length === 0 && namespace !== undefined ? ofAccount : [...asked];
  const isSaid = groups.includes(AUTHENTICATED) || groups.includes('system:unauthenticated');
  return isSaid ? groups : [...groups, AUTHENTICATED];
}

function needFor(username: string, account: RegExpExecArray | null): ResourceAttributes {
  if (account === null) return { group: '', resource: 'users', name: username, verb: 'impersonate' };
  const [, namespace = '', name = ''] = account;
  return { group: '', resource: 'serviceaccounts', namespace, name, verb: 'impersonate' };
}

function groupNeed(name: string): ResourceAttributes {
  return { group: '', resource: 'groups', name, verb: 'impersonate' };
}

function uidNeeds(uid: string): ResourceAttributes[] {
  return uid === '' ? [] : [{ group: AUTHENTICATION_GROUP, resource: 'uids', name: uid, verb: 'impersonate' }];
}

function extraNeeds(extra: Readonly<Record<string, readonly string[]>>): ResourceAttributes[] {
  return Object.entries(extra).flatMap(([subresource, values]) =>
    values.map((name) => {
      return { group: AUTHENTICATION_GROUP, resource: 'userextras', subresource, name, verb: 'impersonate' };
    }),
  );
}

function extraOf(parts: readonly { readonly name: string; readonly value: string }[]): Record<string, string[]> {
  const byKey = new Map<string, string[]>();
  for (const { name, value } of parts) byKey.set(keyOf(name), [...(byKey.get(keyOf(name)) ?? []), value]);
  return Object.fromEntries(byKey);
}

/** Keys are percent-encoded, because a header's name cannot hold all of them. */
function keyOf(name: string): string {
  const key = name.slice(EXTRA_PREFIX.length);
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}

/** In the words of the API server (apimachinery pkg/api/errors, NewForbidden). */
export function cannotImpersonate(asker: HubUser, need: ResourceAttributes): string {
  const { group, resource, subresource, namespace, name } = need;
  const what = subresource === undefined ? resource : `${resource}/${subresource}`;
  const where = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`;
  const right = `cannot impersonate resource "${what}" in API group "${group}" ${where}`;
  return `${resource}${group === '' ? '' : `.${group}`} "${name}" is forbidden: User "${asker.username}" ${right}`;
}

/** What of a missing right the log may say: uids and extras are values that only the client and the hub know. */
export function logged(need: ResourceAttributes): ResourceAttributes {
  return need.group === AUTHENTICATION_GROUP ? { ...need, name: '…' } : need;
}
