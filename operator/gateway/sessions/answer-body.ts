import { crossing, headerOf } from '../../../tunnel/request-headers.ts';
import type { RawHeaders } from '../../../tunnel/wire/head.ts';
import { NO_SNIFFING } from '../front/status.ts';

/** How many body bytes an answer has, by its head. */
export interface AnswerBody {
  /** Whether body bytes go to the client at all. */
  readonly isSent: boolean;
  readonly leastBytes: number;
  readonly mostBytes: number;
}

/** Also what is known before a head. */
export const NO_BODY: AnswerBody = { isSent: false, leastBytes: 0, mostBytes: 0 };

/**
 * The body that a head announces. With one byte more or less than Content-Length the client would take the rest for its
 * next answer, maybe of another cluster: clients share connections. The head has passed `headerTrouble`.
 * Source: RFC 9112 §6.3.
 */
export function answerBody(method: string, status: number, headers: RawHeaders): AnswerBody {
  if (method === 'HEAD' || status === 204 || status === 304) return NO_BODY;
  const length = headerOf(headers, 'content-length');
  const leastBytes = length === undefined ? 0 : Number(length);
  // HTTP/2 through Node ends an answer 205 with its head.
  if (status === 205) return { isSent: false, leastBytes, mostBytes: 0 };
  return { isSent: true, leastBytes, mostBytes: length === undefined ? Number.POSITIVE_INFINITY : leastBytes };
}

/**
 * What a browser would take for the gateway's own word, for every tunnel behind it: cookies, CORS, reporting, other
 * places to go, how to log in.
 */
const ORIGIN_WIDE =
  /^(set-cookie2?|access-control-.*|strict-transport-security|public-key-pins.*|nel|report-to|reporting-endpoints|.*-report-only|clear-site-data|alt-svc|refresh|service-worker-allowed|www-authenticate)$/;
/** Ours to say. */
const REPLACED: ReadonlySet<string> = new Set(['x-trace-id', 'traceparent', 'tracestate', 'x-content-type-options']);

/** Whether a target's header may reach a client. Lower-case name. */
function isForClients(name: string): boolean {
  return !ORIGIN_WIDE.test(name) && !REPLACED.has(name);
}

/** The trailers that go on to the client. */
export function answerTrailers(fields: RawHeaders): string[] {
  const passing = crossing(fields);
  return passing.filter((_, at) => isForClients((passing[at - (at % 2)] ?? '').toLowerCase()));
}

/**
 * The headers that go on to the client, and that its type is not to be guessed. RFC 9110 §8.6: no Content-Length beside
 * 1xx and 204.
 */
export function answerHeaders(status: number, headers: RawHeaders): string[] {
  const hasNoLength = status < 200 || status === 204;
  const passing = crossing(headers);
  const kept: string[] = [];
  for (let at = 0; at < passing.length; at += 2) {
    const name = passing[at] ?? '';
    const lower = name.toLowerCase();
    if (!isForClients(lower) || (hasNoLength && lower === 'content-length')) continue;
    kept.push(name, passing[at + 1] ?? '');
  }
  return status < 200 ? kept : [...kept, ...NO_SNIFFING];
}
