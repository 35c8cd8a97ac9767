/** A raw header list without the traceparent that each hop makes anew. */
export function untraced(headers: readonly string[]): string[] {
  return headers.filter((_, at) => headers[at - (at % 2)]?.toLowerCase() !== 'traceparent');
}
