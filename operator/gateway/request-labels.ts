import type { EndedRequest } from './meter.ts';

/** Where what an API server says of itself stands, by the first segment of its path. */
const NON_RESOURCES: ReadonlySet<string> = new Set([
  ...['api', 'apis', 'healthz', 'livez', 'logs', 'metrics', 'openapi', 'readyz', 'version'],
]);
const VERBS: ReadonlySet<string> = new Set([
  ...[
    'get',
    'list',
    'watch',
    'create',
    'update',
    'patch',
    'delete',
    'deletecollection',
    'proxy',
    'post',
    'put',
    'options',
  ],
]);
/** What can be a group, a resource or a subresource (RFC 1123 subdomain; empty: the core group, no subresource). */
const NAME = /^([a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?)?$/;

/** Of whatever is not known. */
export const OTHER = 'other';
/** As many resources are told apart, over all tunnels. */
export const MAX_PATTERNS = 200;

/** The labels of a request in histograms. */
export interface RequestLabels {
  readonly verb: string;
  readonly pattern: string;
}

/**
 * Verb and path pattern of requests: the same label object for the same pair, and a bounded number of them. Anybody can ask
 * for any name, so a resource has a pattern of its own only after an API server gave one a good answer.
 */
export class RequestPatterns {
  /** By verb, then by pattern. */
  readonly #labels = new Map<string, Map<string, RequestLabels>>();
  readonly #seen = new Set<string>();

  labelsOf({ info, path, status }: Pick<EndedRequest, 'info' | 'path' | 'status'>): RequestLabels {
    const verb = VERBS.has(info.verb) ? info.verb : OTHER;
    const pattern = info.isResourceRequest ? this.#known(patternOf(info), status) : nonResource(path);
    const ofVerb = this.#labels.get(verb) ?? new Map<string, RequestLabels>();
    const labels = ofVerb.get(pattern) ?? { verb, pattern };
    this.#labels.set(verb, ofVerb.set(pattern, labels));
    return labels;
  }

  #known(pattern: string, status: number | undefined): string {
    if (this.#seen.has(pattern)) return pattern;
    const isGood = status !== undefined && (status === 101 || (status >= 200 && status < 300));
    if (!isGood || this.#seen.size >= MAX_PATTERNS || !pattern.split('/').every((part) => NAME.test(part)))
      return OTHER;
    this.#seen.add(pattern);
    return pattern;
  }
}

/** `pods`, `pods/log`, `apps/deployments/scale`: group (if it is not the core one), resource, subresource. */
function patternOf({ apiGroup, resource, subresource }: EndedRequest['info']): string {
  const named = apiGroup === '' ? resource : `${apiGroup}/${resource}`;
  return subresource === '' ? named : `${named}/${subresource}`;
}

function nonResource(path: string): string {
  const first = path.split('/', 2)[1] ?? '';
  return NON_RESOURCES.has(first) ? `/${first}` : OTHER;
}
