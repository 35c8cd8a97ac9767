import type { CompressionSettings } from '../crds/agent-settings.ts';
import { headerOf } from '../tunnel/request-headers.ts';
import { isLongRunning, type RequestInfo, requestInfo } from '../tunnel/request-info.ts';
import type { RequestHead, ResponseHead } from '../tunnel/wire/head.ts';

/**
 * 100 Mbit/s. One second of a core takes about 180 MB off the wire (200 MB/s deflated to a tenth of their size): 15 s of such
 * a link, and more of a slower one. And an agent that has but a tenth of a core still deflates faster than it could send.
 * Measured: docs/decisions/0006.
 */
const SLOW_BYTES_PER_SECOND = 12_500_000;

/**
 * API groups whose kinds hold no credentials but Secrets. How long a deflated answer is tells something of what it says beside
 * what an attacker put into it (CRIME, BREACH): so what is not known to be safe stays as it is, other groups and all.
 */
const SAFE_GROUPS: ReadonlySet<string> = new Set([
  '',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'apiregistration.k8s.io',
  'apps',
  'autoscaling',
  'batch',
  'coordination.k8s.io',
  'discovery.k8s.io',
  'events.k8s.io',
  'flowcontrol.apiserver.k8s.io',
  'metrics.k8s.io',
  'networking.k8s.io',
  'node.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'resource.k8s.io',
  'scheduling.k8s.io',
  'storage.k8s.io',
]);
const SECRETS = 'secrets';
/** Schemas of the API, the same for everybody. */
const OPEN_API = /^\/openapi\/v[23](\/|\?|$)/;
const JSON_TYPE = 'application/json';

/** Everything the decision needs. */
export interface AnswerFacts {
  readonly request: Pick<RequestHead, 'method' | 'path' | 'headers' | 'isLongRunning' | 'isUpgrade'>;
  readonly answer: ResponseHead;
  readonly settings: CompressionSettings;
  /** The gateway chose the feature `deflate`. */
  readonly isOffered: boolean;
  /** Of the link to the gateway; undefined: not measured. */
  readonly bytesPerSecond: number | undefined;
}

interface Facts extends AnswerFacts {
  readonly info: RequestInfo;
}

/** In order, the cheap ones first. All must hold. */
const CHECKS: readonly ((facts: Facts) => boolean)[] = [
  isWanted,
  isLinkSlow,
  isWholeJson,
  isReadAtOnce,
  asksForNoEncoding,
  isSafe,
  isLongEnough,
];

/** Whether an answer goes to the gateway deflated, if there is memory for it. */
export function isCompressible(facts: AnswerFacts): boolean {
  const info = requestInfo(facts.request.method, facts.request.path);
  return CHECKS.every((holds) => holds({ ...facts, info }));
}

function isWanted({ settings, isOffered }: Facts): boolean {
  return isOffered && settings.mode === 'Auto';
}

function isLinkSlow({ bytesPerSecond }: Facts): boolean {
  return bytesPerSecond !== undefined && bytesPerSecond < SLOW_BYTES_PER_SECOND;
}

/** A 200 whose body is JSON as it was made: errors are short, and what has an encoding has no need. */
function isWholeJson({ answer: { status, headers } }: Facts): boolean {
  const type = headerOf(headers, 'content-type')?.split(';', 1)[0]?.trim().toLowerCase();
  return status === 200 && type === JSON_TYPE && headerOf(headers, 'content-encoding') === undefined;
}

/** Not a watch or log: their bytes must not wait in a compressor for more. */
function isReadAtOnce({ request, info }: Facts): boolean {
  const isExempt = request.isUpgrade || request.isLongRunning || isLongRunning(info, request.path);
  return request.method === 'GET' && !isExempt;
}

/** A client that speaks of encodings was understood by the API server. */
function asksForNoEncoding({ request }: Facts): boolean {
  return headerOf(request.headers, 'accept-encoding') === undefined;
}

function isSafe({ request, info }: Facts): boolean {
  if (!info.isResourceRequest) return OPEN_API.test(request.path);
  return SAFE_GROUPS.has(info.apiGroup) && info.resource !== SECRETS && info.subresource === '';
}

/** The API server says the length of no list beyond 2 KiB; most of them are long, and one that is not costs little. */
function isLongEnough({ answer, settings, info }: Facts): boolean {
  const length = headerOf(answer.headers, 'content-length');
  return length === undefined ? info.verb === 'list' : Number(length) >= settings.minBytes;
}
