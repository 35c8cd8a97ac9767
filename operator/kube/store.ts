import type { KubeObject } from './objects.ts';

/** "namespace/name", or "name" when cluster-scoped. */
export function keyOf({ metadata }: Pick<KubeObject, 'metadata'>): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
}

/** The values under which an object is found. */
export type IndexFunction<T> = (object: T) => readonly string[];

/** One object came, changed or went. */
export interface Change<T> {
  readonly object: T;
  /** What we knew before; undefined when it is new. */
  readonly previous: T | undefined;
  readonly isGone: boolean;
}

/** Read side of a Store. */
export interface StoreReader<T> {
  readonly size: number;
  /** Grows with every change. */
  readonly revision: number;
  get(key: string): T | undefined;
  list(): T[];
  /** Objects that the named index puts under `value`. @throws RangeError for an unknown index: our bug. */
  byIndex(index: string, value: string): T[];
}

/**
 * What the API server last told us about one kind, with indexes.
 * Invariant: every index holds exactly the keys of the stored objects.
 */
export class Store<T extends KubeObject> implements StoreReader<T> {
  readonly #objects = new Map<string, T>();
  readonly #functions: ReadonlyMap<string, IndexFunction<T>>;
  readonly #indexes = new Map<string, Map<string, Set<string>>>();
  readonly #onChange: (change: Change<T>) => void;
  #revision = 0;

  constructor(
    options: { indexes?: Readonly<Record<string, IndexFunction<T>>>; onChange?: (change: Change<T>) => void } = {},
  ) {
    this.#functions = new Map(Object.entries(options.indexes ?? {}));
    for (const name of this.#functions.keys()) this.#indexes.set(name, new Map());
    this.#onChange = options.onChange ?? (() => {});
  }

  get size(): number {
    return this.#objects.size;
  }

  get revision(): number {
    return this.#revision;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(): T[] {
    return [...this.#objects.values()];
  }

  byIndex(index: string, value: string): T[] {
    const entries = this.#indexes.get(index);
    if (entries === undefined) throw new RangeError(`no index ${index}`);
    return [...(entries.get(value) ?? [])].flatMap((key) => this.#objects.get(key) ?? []);
  }

  /** Takes the object in, in place of an older one. */
  set(object: T): void {
    const key = keyOf(object);
    const previous = this.#objects.get(key);
    this.#unindex(key);
    this.#objects.set(key, object);
    this.#eachIndexValue(object, (values, value) => {
      const keys = values.get(value);
      if (keys === undefined) values.set(value, new Set([key]));
      else keys.add(key);
    });
    this.#revision++;
    this.#onChange({ object, previous, isGone: false });
  }

  delete(object: T): void {
    const key = keyOf(object);
    const previous = this.#objects.get(key);
    this.#unindex(key);
    if (!this.#objects.delete(key)) return;
    this.#revision++;
    this.#onChange({ object, previous, isGone: true });
  }

  /** Makes the store hold exactly these objects; listeners hear of what changed or went. */
  replaceAll(objects: readonly T[]): void {
    const kept = new Set(objects.map(keyOf));
    for (const [key, object] of [...this.#objects]) {
      if (!kept.has(key)) this.delete(object);
    }
    for (const object of objects) {
      const known = this.#objects.get(keyOf(object));
      if (known?.metadata.resourceVersion !== object.metadata.resourceVersion || known === undefined) this.set(object);
    }
  }

  #unindex(key: string): void {
    const object = this.#objects.get(key);
    if (object === undefined) return;
    this.#eachIndexValue(object, (values, value) => {
      const keys = values.get(value);
      keys?.delete(key);
      if (keys?.size === 0) values.delete(value);
    });
  }

  #eachIndexValue(object: T, visit: (values: Map<string, Set<string>>, value: string) => void): void {
    for (const [name, indexFunction] of this.#functions) {
      const values = this.#indexes.get(name);
      if (values !== undefined) for (const value of indexFunction(object)) visit(values, value);
    }
  }
}
