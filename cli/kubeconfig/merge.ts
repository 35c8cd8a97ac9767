import { isDeepStrictEqual } from 'node:util';
import {
  type Entry,
  type Fields,
  isFields,
  type Kubeconfig,
  LIST_NAMES,
  LISTS,
  type ListName,
  parseKubeconfig,
  rootData,
} from './document.ts';
import { hasContent, putEntry, putField } from './edit.ts';
import { isSameMarker, type Marker, marked, markerOf } from './marker.ts';

/** What a kubeconfig is to say about one tunnel. */
export interface Wanted {
  /** Name of the cluster, the context and, unless another user is referred to, the user. */
  readonly name: string;
  readonly marker: Marker;
  readonly server: string;
  /** PEM of the gateway's CA. */
  readonly caPem: string;
  readonly user: WantedUser;
  /** Makes it the current context. */
  readonly isCurrent: boolean;
}

/** An entry of its own, or one that the file has already. */
export type WantedUser = { readonly fields: Fields } | { readonly existing: string };

export interface Change extends Entry {
  readonly list: ListName;
  readonly what: 'added' | 'changed' | 'unchanged';
}

export interface Merged {
  readonly text: string;
  readonly changes: readonly Change[];
}

/** An entry that stands in the way. */
export interface Conflict {
  readonly list: ListName;
  readonly name: string;
  /** Where it leads, if it is ours; undefined: somebody else's. */
  readonly marker: Marker | undefined;
}

const EMPTY = 'apiVersion: v1\nkind: Config\n';
/** Some editors write it, and it is no column of the first line. */
const BYTE_ORDER_MARK = '\uFEFF';

/**
 * The kubeconfig with the tunnel's entries in it. Nothing else changes, not by a byte; and nothing at all if they are
 * there already. Entries of the same names are replaced, whosesoever they are: ask conflictsOf first.
 * @throws Error that says why the text cannot be changed
 */
export function mergeTunnel(text: string, wanted: Wanted): Merged {
  if (!text.startsWith(BYTE_ORDER_MARK)) return mergeContent(text, wanted);
  const merged = mergeContent(text.slice(BYTE_ORDER_MARK.length), wanted);
  return { ...merged, text: BYTE_ORDER_MARK + merged.text };
}

function mergeContent(text: string, wanted: Wanted): Merged {
  const before = parseKubeconfig(text);
  if ('existing' in wanted.user) demandUser(before, wanted.user.existing);
  const changes = wantedEntries(before, wanted).map(({ list, entry }) => changeOf(before, list, entry));
  const start = hasContent(text) ? text : begun(text);
  let after = start;
  for (const { list, what, ...entry } of changes) {
    if (what !== 'unchanged') after = putEntry(after, list, entry);
  }
  if (wanted.isCurrent && before.currentContext !== wanted.name) {
    after = putField(after, 'current-context', wanted.name);
  }
  verify(start, after, changes, wanted);
  return { text: after, changes };
}

/** Entries of these names that do not lead to this tunnel. */
export function conflictsOf(kubeconfig: Kubeconfig, wanted: Wanted): Conflict[] {
  return wantedEntries(kubeconfig, wanted).flatMap(({ list, entry: { name } }) => {
    const known = find(kubeconfig, list, name);
    if (known === undefined) return [];
    const marker = markerOf(known.fields);
    return isSameMarker(marker, wanted.marker) ? [] : [{ list, name, marker }];
  });
}

interface WantedEntry {
  readonly list: ListName;
  readonly entry: Entry;
}

function wantedEntries(before: Kubeconfig, wanted: Wanted): WantedEntry[] {
  const { name, marker, user } = wanted;
  const entry = (list: ListName, fields: Fields): WantedEntry => ({
    list,
    entry: { name, fields: marked(fields, marker) },
  });
  const userName = 'existing' in user ? user.existing : name;
  return [
    entry('clusters', { ...kept(before, 'clusters', wanted), ...clusterFields(wanted) }),
    entry('contexts', { ...kept(before, 'contexts', wanted), cluster: name, user: userName }),
    ...('fields' in user ? [entry('users', user.fields)] : []),
  ];
}

/** What a person added to our entry, such as a namespace, stays; what would contradict ours does not. */
function kept(before: Kubeconfig, list: ListName, { name, marker }: Wanted): Fields {
  const known = find(before, list, name)?.fields ?? {};
  if (!isSameMarker(markerOf(known), marker)) return {};
  const { 'certificate-authority': _, 'insecure-skip-tls-verify': __, ...rest } = known;
  return rest;
}

function clusterFields({ server, caPem }: Wanted): Fields {
  return { 'certificate-authority-data': Buffer.from(caPem).toString('base64'), server };
}

function changeOf(before: Kubeconfig, list: ListName, entry: Entry): Change {
  const known = find(before, list, entry.name);
  if (known === undefined) return { list, ...entry, what: 'added' };
  return { list, ...entry, what: isDeepStrictEqual(known.fields, entry.fields) ? 'unchanged' : 'changed' };
}

function demandUser(before: Kubeconfig, name: string): void {
  if (find(before, 'users', name) === undefined) throw new Error(`it has no user "${name}" any more`);
}

function find(kubeconfig: Kubeconfig, list: ListName, name: string): Entry | undefined {
  return kubeconfig[list].find((entry) => entry.name === name);
}

function begun(text: string): string {
  const eol = text === '' || text.endsWith('\n') ? '' : '\n';
  return text + eol + EMPTY;
}

/** The text was changed by position: read again, it must say what was meant, and of others what it said before. */
function verify(before: string, after: string, changes: readonly Change[], { name, isCurrent }: Wanted): void {
  const expected = rootData(before);
  for (const list of LIST_NAMES) {
    const mine = changes.filter((change) => change.list === list && change.what !== 'unchanged');
    if (mine.length > 0) expected[list] = replaced(list, expected[list], mine);
  }
  if (isCurrent) expected['current-context'] = name;
  if (isDeepStrictEqual(rootData(after), expected)) return;
  throw new Error('it is written in a way that cannot be changed in place');
}

function replaced(list: ListName, items: unknown, changes: readonly Change[]): unknown[] {
  const result: unknown[] = Array.isArray(items) ? [...items] : [];
  for (const { name, fields } of changes) {
    const item = { [LISTS[list]]: fields, name };
    const at = result.findIndex((each) => isFields(each) && String(each['name']) === name);
    if (at < 0) result.push(item);
    else result[at] = item;
  }
  return result;
}
