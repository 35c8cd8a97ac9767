import type { Spec } from './types.ts';

/** As whom users act at the target, and what they may do at most. */
export interface AccessSettings {
  readonly mode: 'Impersonate' | 'Agent';
  readonly readOnly: boolean;
  readonly userPrefix: string;
  readonly groupPrefix: string;
  /** Names at the target that pass; empty: all that are not reserved. */
  readonly users: readonly string[];
  readonly groups: readonly string[];
  /** Keys of extras that pass; empty: none. */
  readonly extras: readonly string[];
}

/** Whom the agent's probe asks as: whether users get through shows only on their way. */
export const PROBE_USER = 'clustertunnel:probe';

/** What a gateway of before this member means. */
export const UNSAID_ACCESS: AccessSettings = {
  mode: 'Impersonate',
  readOnly: false,
  userPrefix: '',
  groupPrefix: '',
  users: [],
  groups: [],
  extras: [],
};

/** What both ends keep to for a tunnel with this spec. */
export function accessSettings({ access }: Pick<Spec, 'access'>): AccessSettings {
  const { mode, readOnly, userPrefix, groupPrefix, impersonate } = access;
  const { users, groups, extras } = impersonate;
  return { mode, readOnly, userPrefix, groupPrefix, users, groups, extras };
}

/**
 * The member as received. What is not known here is taken for the stricter: a mode that is none of ours impersonates, and
 * whatever is not `false` is read-only.
 * @throws TypeError for names that are no texts: the sender's fault.
 */
export function parseAccess(from: unknown): AccessSettings {
  if (from === undefined) return UNSAID_ACCESS;
  if (typeof from !== 'object' || from === null) throw new TypeError('agent settings: access must be an object');
  const {
    mode,
    readOnly = false,
    userPrefix = '',
    groupPrefix = '',
    users = [],
    groups = [],
    extras = [],
  } = from as Record<string, unknown>;
  return {
    mode: mode === 'Agent' ? 'Agent' : 'Impersonate',
    readOnly: readOnly !== false,
    userPrefix: textOf(userPrefix, 'userPrefix'),
    groupPrefix: textOf(groupPrefix, 'groupPrefix'),
    users: textsOf(users, 'users'),
    groups: textsOf(groups, 'groups'),
    extras: textsOf(extras, 'extras'),
  };
}

function textsOf(value: unknown, name: string): readonly string[] {
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value;
  throw new TypeError(`agent settings: access.${name} must be a list of texts`);
}

function textOf(value: unknown, name: string): string {
  if (typeof value === 'string') return value;
  throw new TypeError(`agent settings: access.${name} must be a text`);
}
