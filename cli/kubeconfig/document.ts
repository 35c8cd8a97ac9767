import { isMap, isScalar, parseDocument } from 'yaml';

/** The three lists of a kubeconfig, and what an entry of each calls its content. */
export const LISTS = { clusters: 'cluster', contexts: 'context', users: 'user' } as const;
export type ListName = keyof typeof LISTS;
export const LIST_NAMES = Object.keys(LISTS) as readonly ListName[];

/** The content of one entry, as it stands in the file. */
export type Fields = Readonly<Record<string, unknown>>;

export interface Entry {
  readonly name: string;
  readonly fields: Fields;
}

/** What a kubeconfig says. */
export interface Kubeconfig extends Readonly<Record<ListName, readonly Entry[]>> {
  /** Empty when the file names none. */
  readonly currentContext: string;
}

/** Kubeconfigs of several hundred clusters have 1 MiB. */
export const MAX_KUBECONFIG_BYTES = 16 * 1024 * 1024;

const OTHER_KEYS = ['apiVersion', 'kind', 'preferences', 'current-context', 'extensions'];

/**
 * Reads YAML or JSON; a file without content is an empty kubeconfig, as for kubectl.
 * @throws Error that says why the text is no kubeconfig
 */
export function parseKubeconfig(text: string): Kubeconfig {
  const root = rootData(text);
  if (root['kind'] !== undefined && root['kind'] !== 'Config') {
    throw new Error(`it is a ${String(root['kind'])}, not a Config`);
  }
  const keys = Object.keys(root);
  const isKnown = keys.some((key) => OTHER_KEYS.includes(key) || key in LISTS);
  if (keys.length > 0 && !isKnown) throw new Error('it has none of the fields of a kubeconfig');
  const current = root['current-context'];
  return {
    clusters: entriesOf(root, 'clusters'),
    contexts: entriesOf(root, 'contexts'),
    users: entriesOf(root, 'users'),
    currentContext: typeof current === 'string' ? current : '',
  };
}

/** The whole document as data. @throws Error for what is no mapping */
export function rootData(text: string): Record<string, unknown> {
  const document = parseDocument(text, { merge: true });
  const [trouble] = document.errors;
  if (trouble !== undefined) throw new Error(trouble.message.trim().split('\n')[0] ?? '');
  const { contents } = document;
  if (contents === null || (isScalar(contents) && contents.value === null)) return {};
  if (!isMap(contents)) throw new Error('it is no mapping of names to values');
  return document.toJS() as Record<string, unknown>;
}

function entriesOf(root: Record<string, unknown>, list: ListName): Entry[] {
  const items = root[list] ?? [];
  if (!Array.isArray(items)) throw new Error(`${list} is no list`);
  return items.map((item, index) => {
    if (!isFields(item) || item['name'] === undefined) throw new Error(`${list}[${index}] has no name`);
    const fields = item[LISTS[list]] ?? {};
    if (!isFields(fields)) throw new Error(`${list}[${index}].${LISTS[list]} is no mapping`);
    return { name: String(item['name']), fields };
  });
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
