import { pathTrouble } from './request-path.ts';
import type { RawHeaders, ResponseHead } from './wire/head.ts';

/** What was asked, as far as it decides whether an answer may send its client elsewhere. */
export interface RedirectedRequest {
  readonly method: string;
  /** Raw; its query does not matter. */
  readonly path: string;
  readonly isUpgrade: boolean;
}

/**
 * Why an answer that sends its client elsewhere may not pass; undefined when it may, or sends nobody anywhere. Only to the
 * path that was asked for may a reader be sent, with another query or with a slash at its end: the API server itself does
 * so when a schema changed since its address was told, and to …/proxy/ from …/proxy.
 * Source: kube-openapi handler3, apimachinery proxy.UpgradeAwareHandler.
 */
export function redirectTrouble(
  { method, path, isUpgrade }: RedirectedRequest,
  head: ResponseHead,
): string | undefined {
  const places = isRedirect(head) ? placesIn(head.headers) : [];
  if (places.length === 0) return undefined;
  const isReading = !isUpgrade && (method === 'GET' || method === 'HEAD');
  const [place = ''] = places;
  if (isReading && places.length === 1 && pathTrouble(place) === undefined && isSame(path, place)) return undefined;
  return `${head.status} with a Location, and redirects are neither followed nor passed on`;
}

function isSame(asked: string, place: string): boolean {
  const [plain = ''] = asked.split('?', 1);
  const [there = ''] = place.split('?', 1);
  return there === plain || there === `${plain}/`;
}

/** The headers of an answer, its Location below `prefix` if it is a redirect that may pass. */
export function redirectedBelow(prefix: string, head: ResponseHead): RawHeaders {
  const { headers } = head;
  if (!isRedirect(head)) return headers;
  return headers.map((text, at) => (at % 2 === 1 && isLocation(headers[at - 1]) ? `${prefix}${text}` : text));
}

function isRedirect({ status }: ResponseHead): boolean {
  return status >= 300 && status < 400;
}

function placesIn(headers: RawHeaders): string[] {
  return headers.filter((_, at) => at % 2 === 1 && isLocation(headers[at - 1]));
}

function isLocation(name: string | undefined): boolean {
  return name?.toLowerCase() === 'location';
}
