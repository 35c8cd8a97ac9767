import { isNotFound } from './errors.ts';
import { jsonLines } from './json-lines.ts';
import { type KubeList, type ObjectAddress, pathOf, type Resource } from './objects.ts';
import type { Query, Transport } from './transport.ts';

/** Content types of the patches we send. */
export const PatchType = {
  merge: 'application/merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;
export type PatchType = (typeof PatchType)[keyof typeof PatchType];

export interface Patch {
  readonly type: PatchType;
  readonly body: unknown;
  readonly query?: Query;
}

/** Calls by resource and address; objects are raw JSON. All throw what Transport.call throws. */
export interface KubeClient {
  readonly server: string;
  get<T>(resource: Resource, address: ObjectAddress, signal: AbortSignal): Promise<T>;
  /** The object, or undefined when there is none. */
  find<T>(resource: Resource, address: ObjectAddress, signal: AbortSignal): Promise<T | undefined>;
  list<T>(resource: Resource, address: ObjectAddress, query: Query, signal: AbortSignal): Promise<KubeList<T>>;
  create<T>(resource: Resource, address: ObjectAddress, body: unknown, signal: AbortSignal): Promise<T>;
  /** PUT: with metadata.resourceVersion in the body it fails when somebody was faster. */
  replace<T>(resource: Resource, address: ObjectAddress, body: unknown, signal: AbortSignal): Promise<T>;
  patch<T>(resource: Resource, address: ObjectAddress, patch: Patch, signal: AbortSignal): Promise<T>;
  /** Resolves true when the object was there, false when it was gone already. */
  delete(resource: Resource, address: ObjectAddress, signal: AbortSignal): Promise<boolean>;
  /** Events as they come, unchecked, until the server closes or the signal aborts. */
  watch(resource: Resource, address: ObjectAddress, query: Query, signal: AbortSignal): AsyncIterable<unknown>;
  close(): Promise<void>;
}

/** A client over a transport. */
export function createClient(transport: Transport): KubeClient {
  const call: Transport['call'] = (request, signal) => transport.call(request, signal);
  const client: KubeClient = {
    server: transport.server,
    get: <T>(resource: Resource, address: ObjectAddress, signal: AbortSignal) =>
      call({ method: 'GET', path: pathOf(resource, address) }, signal) as Promise<T>,
    async find<T>(resource: Resource, address: ObjectAddress, signal: AbortSignal) {
      try {
        return await client.get<T>(resource, address, signal);
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },
    list: <T>(resource: Resource, address: ObjectAddress, query: Query, signal: AbortSignal) =>
      call({ method: 'GET', path: pathOf(resource, address), query }, signal) as Promise<KubeList<T>>,
    create: <T>(resource: Resource, { name: _, ...address }: ObjectAddress, body: unknown, signal: AbortSignal) =>
      call({ method: 'POST', path: pathOf(resource, address), body }, signal) as Promise<T>,
    replace: <T>(resource: Resource, address: ObjectAddress, body: unknown, signal: AbortSignal) =>
      call({ method: 'PUT', path: pathOf(resource, address), body }, signal) as Promise<T>,
    patch: <T>(resource: Resource, address: ObjectAddress, { type, body, query }: Patch, signal: AbortSignal) =>
      call({ method: 'PATCH', path: pathOf(resource, address), body, query, contentType: type }, signal) as Promise<T>,
    async delete(resource, address, signal) {
      try {
        await call({ method: 'DELETE', path: pathOf(resource, address) }, signal);
        return true;
      } catch (error) {
        if (isNotFound(error)) return false;
        throw error;
      }
    },
    async *watch(resource, address, query, signal) {
      const watchQuery = { ...query, watch: true };
      yield* jsonLines(
        await transport.stream({ method: 'GET', path: pathOf(resource, address), query: watchQuery }, signal),
      );
    },
    close: () => transport.close(),
  };
  return client;
}
