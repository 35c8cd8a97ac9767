import type { KubeObject } from '../../../operator/kube/objects.ts';
import type { Call, Query } from '../../../operator/kube/transport.ts';

type Versions = Map<string, string>;
interface Collection {
  readonly path: string;
  readonly query: Query;
  readonly versions: Versions;
  /** Other lists just have a look, once. */
  isWatched: boolean;
}

/** What an operator was told of the world by its lists and watches: the newest version of each object. */
export class Watched {
  readonly #collections = new Map<string, Collection>();

  /** A list was answered. */
  listed({ path, query = {} }: Call, answer: unknown): void {
    const { items } = answer as { readonly items?: readonly KubeObject[] };
    if (items === undefined) return;
    const collection = this.#collection(path, query);
    if (query['continue'] === undefined) collection.versions.clear();
    for (const { metadata } of items) collection.versions.set(metadata.name, metadata.resourceVersion ?? '');
  }

  /** A watch goes on from a list. */
  opened({ path, query = {} }: Call): void {
    this.#collection(path, query).isWatched = true;
  }

  /** An event arrived, as one line of JSON. */
  told({ path, query = {} }: Call, line: string): void {
    const { type, object } = JSON.parse(line) as { readonly type: string; readonly object: KubeObject };
    const { versions } = this.#collection(path, query);
    if (type === 'DELETED') versions.delete(object.metadata.name);
    if (type === 'ADDED' || type === 'MODIFIED')
      versions.set(object.metadata.name, object.metadata.resourceVersion ?? '');
  }

  /** Whether everybody who watches the collection at `path` knows that the object is so, or is not there. */
  knows(path: string, name: string, object: KubeObject | undefined): boolean {
    return this.#at(path).every(({ query, versions }) => {
      const expected = object !== undefined && selects(query, object) ? object.metadata.resourceVersion : undefined;
      return versions.get(name) === expected;
    });
  }

  /** Whether anybody watches there. */
  watches(path: string): boolean {
    return this.#at(path).length > 0;
  }

  #at(path: string): Collection[] {
    return [...this.#collections.values()].filter((each) => each.isWatched && each.path === path);
  }

  #collection(path: string, query: Query): Collection {
    const key = JSON.stringify([path, query['labelSelector'], query['fieldSelector']]);
    const known = this.#collections.get(key) ?? { path, query, versions: new Map(), isWatched: false };
    this.#collections.set(key, known);
    return known;
  }
}

/** Label selectors of the forms `a` and `a=b`; of field selectors only names. */
function selects(query: Query, { metadata }: KubeObject): boolean {
  const byLabel = listOf(query['labelSelector']).every((part) => {
    const [name = '', value] = part.split('=');
    const label = metadata.labels?.[name];
    return value === undefined ? label !== undefined : label === value;
  });
  const byName = listOf(query['fieldSelector']).every((part) => {
    const [field, value] = part.split('=');
    return field !== 'metadata.name' || value === metadata.name;
  });
  return byLabel && byName;
}

function listOf(selector: unknown): string[] {
  return typeof selector === 'string' && selector !== '' ? selector.split(',') : [];
}
