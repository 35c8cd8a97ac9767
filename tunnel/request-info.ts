import { demandedValue } from './field-selector.ts';

/**
 * What a request asks of the Kubernetes API, by the API server's own rules.
 * Source: k8s.io/apiserver pkg/endpoints/request/requestinfo.go, pkg/server/filters/longrunning.go (v0.36).
 */
export interface RequestInfo {
  readonly isResourceRequest: boolean;
  /** get, list, watch, create, update, patch, delete, deletecollection, proxy; the lower-case method of a non-resource. */
  readonly verb: string;
  readonly apiGroup: string;
  readonly apiVersion: string;
  readonly namespace: string;
  readonly resource: string;
  readonly subresource: string;
  readonly name: string;
}

const NON_RESOURCE = {
  isResourceRequest: false,
  apiGroup: '',
  apiVersion: '',
  namespace: '',
  resource: '',
  subresource: '',
  name: '',
} as const;

const VERB_OF_METHOD: ReadonlyMap<string, string> = new Map([
  ['GET', 'get'],
  ['HEAD', 'get'],
  ['POST', 'create'],
  ['PUT', 'update'],
  ['PATCH', 'patch'],
  ['DELETE', 'delete'],
]);

const BROKEN_ESCAPE = /%(?![0-9a-f]{2})/i;
const NAMESPACE_SUBRESOURCES: ReadonlySet<string> = new Set(['status', 'finalize']);
/** Of metav1.ListOptions. */
const NUMBERS = ['limit', 'timeoutSeconds'];
const LONG_RUNNING_VERBS: ReadonlySet<string> = new Set(['watch', 'proxy']);
const LONG_RUNNING_SUBRESOURCES: ReadonlySet<string> = new Set(['attach', 'exec', 'proxy', 'log', 'portforward']);

/** Parses method and raw path (query included). The path has passed `pathTrouble`. */
export function requestInfo(method: string, path: string): RequestInfo {
  const end = path.indexOf('?');
  const plain = end < 0 ? path : path.slice(0, end);
  const query = end < 0 ? '' : path.slice(end + 1);
  const parts = plain
    .split('/')
    .filter((part) => part !== '')
    .map(decoded);
  const api = apiOf(parts);
  if (api === undefined) return { ...NON_RESOURCE, verb: method.toLowerCase() };
  const special = specialVerb(api.parts);
  if (special !== undefined && api.parts.length < 2) return { ...NON_RESOURCE, verb: method.toLowerCase() };
  const verb = special ?? verbOfMethod(method);
  const target = targetOf(special === undefined ? api.parts : api.parts.slice(1), verb);
  const { apiGroup, apiVersion } = api;
  return { isResourceRequest: true, apiGroup, apiVersion, ...target, ...collection(verb, target.name, query) };
}

/** As Go's net/url reads it: a pair with `;` or with a broken escape is not there. */
export function queryOf(text: string): URLSearchParams {
  const pairs = text.split('&').filter((pair) => !pair.includes(';') && !BROKEN_ESCAPE.test(pair));
  // The & in front keeps a leading ? in its name, which URLSearchParams would drop.
  return new URLSearchParams(`&${pairs.join('&')}`);
}

/** The verb that a method alone means; empty for a method that means none. */
export function verbOfMethod(method: string): string {
  return VERB_OF_METHOD.get(method) ?? '';
}

/** Requests without a deadline, in a worker pool of their own: watch, proxy, log, exec, attach, port-forward. */
export function isLongRunning(info: RequestInfo, path: string): boolean {
  if (!info.isResourceRequest) return path.startsWith('/debug/pprof/');
  return LONG_RUNNING_VERBS.has(info.verb) || LONG_RUNNING_SUBRESOURCES.has(info.subresource);
}

/** Group, version and what follows, for /api/VERSION/… and /apis/GROUP/VERSION/…; undefined for everything else. */
function apiOf(parts: readonly string[]) {
  if (parts.length < 3) return undefined;
  if (parts[0] === 'api') return { apiGroup: '', apiVersion: parts[1] ?? '', parts: parts.slice(2) };
  if (parts[0] !== 'apis' || parts.length < 4) return undefined;
  return { apiGroup: parts[1] ?? '', apiVersion: parts[2] ?? '', parts: parts.slice(3) };
}

/** The old forms /watch/… and /proxy/… in front of the resource. */
function specialVerb(parts: readonly string[]): string | undefined {
  return parts[0] === 'watch' || parts[0] === 'proxy' ? parts[0] : undefined;
}

function targetOf(parts: readonly string[], verb: string) {
  const isInNamespace = parts[0] === 'namespaces' && parts.length > 1;
  const namespace = isInNamespace ? (parts[1] ?? '') : '';
  const moves = isInNamespace && parts.length > 2 && !NAMESPACE_SUBRESOURCES.has(parts[2] ?? '');
  const [resource = '', name = '', subresource = ''] = moves ? parts.slice(2) : parts;
  return { namespace, resource, name, subresource: verb === 'proxy' ? '' : subresource };
}

/** Without a name, get is list or watch, and delete is deletecollection. Only then the query says anything. */
function collection(verb: string, name: string, queryText: string): { verb: string; name: string } {
  if (name !== '') return { verb, name };
  if (verb === 'delete') return { verb: 'deletecollection', name };
  if (verb !== 'get') return { verb, name };
  const query = queryOf(queryText);
  return { verb: isWatch(query) ? 'watch' : 'list', name: selectedName(query) };
}

function isWatch(query: URLSearchParams): boolean {
  const watch = query.get('watch')?.toLowerCase();
  return watch !== undefined && watch !== 'false' && watch !== '0';
}

/**
 * The name that a field selector demands, if it is a path segment. A number that is none makes the API server forget all
 * options but `watch`.
 */
function selectedName(query: URLSearchParams): string {
  const isBroken = NUMBERS.some((key) => !isInteger(query.get(key) ?? '0'));
  const name = isBroken ? undefined : demandedValue(query.get('fieldSelector') ?? '', 'metadata.name');
  return name === undefined || name === '.' || name === '..' || /[/%]/.test(name) ? '' : name;
}

/** As strconv.ParseInt reads it. */
function isInteger(text: string): boolean {
  return (
    /^[+-]?[0-9]+$/.test(text) && BigInt.asIntN(64, BigInt(text.replace('+', ''))) === BigInt(text.replace('+', ''))
  );
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    // Not UTF-8 once decoded: no resource has such a name. Kept as it stands, the target answers 404.
    return segment;
  }
}
