import { type RequestInfo, requestInfo } from './request-info.ts';

const READING_VERBS: ReadonlySet<string> = new Set(['get', 'list', 'watch']);
const READING_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD']);
/** What runs something, or reaches another server than the API server, with a GET too (kubernetes#134577). */
const ACTING_SUBRESOURCES: ReadonlySet<string> = new Set(['exec', 'attach', 'portforward', 'proxy']);
/** Questions about oneself: they are created, and nothing comes of them. `kubectl auth can-i` and `whoami` ask them. */
const QUESTIONS: ReadonlySet<string> = new Set([
  'authorization.k8s.io/selfsubjectaccessreviews',
  'authorization.k8s.io/selfsubjectrulesreviews',
  'authentication.k8s.io/selfsubjectreviews',
]);

export interface AskedFor {
  readonly method: string;
  /** Raw, query included. It has passed `pathTrouble`. */
  readonly path: string;
  readonly isUpgrade: boolean;
}

/** Why a request does not pass a tunnel that is read-only; undefined when it does. By what it means at the API server. */
export function readOnlyTrouble({ method, path, isUpgrade }: AskedFor): string | undefined {
  const info = requestInfo(method, path);
  if (isUpgrade) return `an upgrade is ${wordsFor({ ...info, verb: 'create' })}`;
  if (!info.isResourceRequest) return READING_METHODS.has(method) ? undefined : `${method} changes what it is sent to`;
  const { verb, apiGroup, resource, subresource } = info;
  if (verb === 'create' && subresource === '' && QUESTIONS.has(`${apiGroup}/${resource}`)) return undefined;
  const isReading = READING_METHODS.has(method) && READING_VERBS.has(verb) && !ACTING_SUBRESOURCES.has(subresource);
  return isReading ? undefined : `the request is ${wordsFor(info)}`;
}

function wordsFor({ verb, resource, subresource }: RequestInfo): string {
  return `${verb === '' ? 'no verb' : verb} ${resource}${subresource === '' ? '' : `/${subresource}`}`.trim();
}
