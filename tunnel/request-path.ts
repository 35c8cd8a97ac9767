/** Longest path with its query that crosses the tunnel, in bytes. */
export const MAX_PATH_BYTES = 16 * 1024;

/** Origin-form of RFC 9112 §3.2.1 in visible ASCII, without what servers read differently: `\`, `#`, space. */
const ORIGIN_FORM = /^\/[\x21\x22\x24-\x5b\x5d-\x7e]*$/;
/** A segment that means another place once decoded: `.`, `..` (also with parameters), or one that hides a separator or NUL. */
const MOVING_SEGMENT = /^(\.|%2e){1,2}($|;|%3b)|%2f|%5c|%00/i;
const BROKEN_ESCAPE = /%(?![0-9a-f]{2})/i;

/**
 * Why a raw path with its query may not be routed or sent; undefined when it may.
 * What is authorised and what is forwarded are the same bytes, so nothing that two parsers read differently passes.
 */
export function pathTrouble(path: string): string | undefined {
  if (path.length > MAX_PATH_BYTES) return `the path has ${path.length} bytes, allowed ${MAX_PATH_BYTES}`;
  if (!ORIGIN_FORM.test(path)) return 'the path must start with / and hold visible ASCII without \\ or #';
  const end = path.indexOf('?');
  const plain = end < 0 ? path : path.slice(0, end);
  if (plain.includes('//')) return 'the path holds an empty segment (//)';
  if (BROKEN_ESCAPE.test(plain)) return 'the path holds a % without two hex digits';
  for (const segment of plain.split('/')) {
    if (MOVING_SEGMENT.test(segment)) return `the path segment ${segment} means another place once decoded`;
  }
  return undefined;
}
