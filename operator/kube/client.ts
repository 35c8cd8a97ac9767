import { isNotFound, UnreachableError } from './errors.ts';
import { jsonLines } from './json-lines.ts';
import { type KubeList, type ObjectAddress, type ObjectMeta, pathOf, type Resource } from './objects.ts';
import type { Call, Query, Transport } from './transport.ts';
import { isMapping } from './yaml-mapping.ts';

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

/** One state of one object. */
export type Version = Pick<ObjectMeta, 'uid' | 'resourceVersion'>;

/**
 * Calls by resource and address; objects are raw JSON with metadata, and unchecked beyond that. All throw what Transport.call
 * throws; an answer that no API server gives is an UnreachableError.
 */
export interface KubeClient {
  readonly server: string;
  get<T>(resource: Resource, address: ObjectAddress, signal: AbortSignal): Promise<T>;
  /** The object, or undefined when there is none. */
  find<T>(resource: Resource, address: ObjectAddress, signal: AbortSignal): Promise<T | undefined>;
  list<T>(resource: Resource, address: ObjectAddress, query: Query, signal: AbortSignal): Promise<KubeList<T>>;
  /** In a collection, whatever name the address has; or, with a subresource, of the object that it names. */
  create<T>(resource: Resource, address: ObjectAddress, body: unknown, signal: AbortSignal): Promise<T>;
  /** PUT: with metadata.resourceVersion in the body it fails when somebody was faster. */
  replace<T>(resource: Resource, address: ObjectAddress, body: unknown, signal: AbortSignal): Promise<T>;
  patch<T>(resource: Resource, address: ObjectAddress, patch: Patch, signal: AbortSignal): Promise<T>;
  /**
   * Resolves true when the object was there, false when it was gone already. With `seen` only what was seen is deleted:
   * an ApiError Conflict tells of anything else.
   */
  delete(resource: Resource, address: ObjectAddress, signal: AbortSignal, seen?: Version): Promise<boolean>;
  /** Events as they come, unchecked, until the server closes or the signal aborts. */
  watch(resource: Resource, address: ObjectAddress, query: Query, signal: AbortSignal): AsyncIterable<unknown>;
  close(): Promise<void>;
}

/** A client over a transport. */
export function createClient(transport: Transport): KubeClient {
  const call = async (request: Call, signal: AbortSignal): Promise<unknown> => {
    const answer = await transport.call(request, signal);
    return isObject(answer) ? answer : strange(transport, request);
  };
  const listCall = async (request: Call, signal: AbortSignal): Promise<unknown> => {
    const answer = await call(request, signal);
    return isListOfObjects(answer) ? answer : strange(transport, request);
  };
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
      listCall({ method: 'GET', path: pathOf(resource, address), query }, signal) as Promise<KubeList<T>>,
    create: <T>(resource: Resource, { name, ...address }: ObjectAddress, body: unknown, signal: AbortSignal) => {
      const path = pathOf(resource, address.subresource === undefined ? address : { ...address, name });
      return call({ method: 'POST', path, body }, signal) as Promise<T>;
    },
    replace: <T>(resource: Resource, address: ObjectAddress, body: unknown, signal: AbortSignal) =>
      call({ method: 'PUT', path: pathOf(resource, address), body }, signal) as Promise<T>,
    patch: <T>(resource: Resource, address: ObjectAddress, { type, body, query }: Patch, signal: AbortSignal) =>
      call({ method: 'PATCH', path: pathOf(resource, address), body, query, contentType: type }, signal) as Promise<T>,
    async delete(resource, address, signal, seen) {
      const body = seen === undefined ? {} : { body: deleteOptions(seen) };
      try {
        await call({ method: 'DELETE', path: pathOf(resource, address), ...body }, signal);
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

function deleteOptions({ uid, resourceVersion }: Version) {
  return { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid, resourceVersion } };
}

function isObject(answer: unknown): boolean {
  return isMapping(answer) && isMapping(answer['metadata']);
}

function isListOfObjects(answer: unknown): boolean {
  const items = isMapping(answer) ? answer['items'] : undefined;
  return Array.isArray(items) && items.every(isObject);
}

function strange({ server }: Transport, { method, path }: Call): never {
  const cause = new Error('what answers is no API server: its answer is no object of Kubernetes');
  throw new UnreachableError(`${method} ${server}${path}`, { cause });
}
