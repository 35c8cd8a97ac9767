import { headerOf } from '../../../tunnel/request-headers.ts';
import type { RawHeaders, ResponseHead } from '../../../tunnel/wire/head.ts';

/** An answer that arrived whole: as the target sent it, before the gateway's own headers. */
export interface Kept {
  readonly headers: RawHeaders;
  readonly chunks: readonly Uint8Array[];
  /** When the target last said that it is so; monotonic. */
  readonly atMs: number;
}

/** What a chunk or an entry costs beside its bytes, about. */
export const OVERHEAD_BYTES = 256;
/** Headers of a body, which do not go with 304 (RFC 9110 §15.4.5). */
const OF_BODY = /^(content-.*|last-modified|accept-ranges)$/;

/** How many bytes count for it. */
export function weightOf({ headers, chunks }: Pick<Kept, 'headers' | 'chunks'>): number {
  const ofHeaders = headers.reduce((sum, text) => sum + text.length, OVERHEAD_BYTES);
  return chunks.reduce((sum, chunk) => sum + chunk.length + OVERHEAD_BYTES, ofHeaders);
}

/** The API server's have 66 characters. A longer one would have to fit beside all that a client may send. */
const LONGEST_ETAG = 512;

/** Its validator, for If-None-Match. */
export function etagOf({ headers }: Pick<Kept, 'headers'>): string | undefined {
  const etag = headerOf(headers, 'etag');
  return etag === undefined || etag === '' || etag.length > LONGEST_ETAG ? undefined : etag;
}

/** What stands for it when it is given again: with Age (RFC 9111 §5.1); 304 if the client has it already. */
export function headAgain(kept: Kept, ifNoneMatch: string, nowMs: number): ResponseHead {
  const isKnown = matches(ifNoneMatch, etagOf(kept));
  const before = Number(headerOf(kept.headers, 'age') ?? 0);
  const age = Math.floor((Number.isFinite(before) ? before : 0) + Math.max(0, nowMs - kept.atMs) / 1_000);
  const headers = kept.headers.filter((_, at) => {
    const name = (kept.headers[at - (at % 2)] ?? '').toLowerCase();
    return name !== 'age' && !(isKnown && OF_BODY.test(name));
  });
  return { status: isKnown ? 304 : 200, headers: [...headers, 'age', String(age)] };
}

/** If-None-Match by weak comparison (RFC 9110 §13.1.2). The API server's ETags have no commas in them. */
function matches(ifNoneMatch: string, etag: string | undefined): boolean {
  if (etag === undefined || ifNoneMatch === '') return false;
  const plain = (text: string) => text.trim().replace(/^W\//, '');
  return ifNoneMatch.split(',').some((each) => plain(each) === '*' || plain(each) === plain(etag));
}
