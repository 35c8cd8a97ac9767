/** Longest line taken: the API server refuses objects beyond 3 MiB. */
const MAX_LINE_BYTES = 8 * 2 ** 20;

/**
 * One JSON value per line, as watches send them. A line that the end cuts off is dropped: it was no event.
 * @throws RangeError when a line exceeds 8 MiB; SyntaxError when one is no JSON.
 */
export async function* jsonLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<unknown, void> {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  for await (const chunk of chunks) {
    let rest = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a)) {
      const line = Buffer.concat([...pending, rest.subarray(0, end)]).toString('utf8');
      pending = [];
      pendingBytes = 0;
      rest = rest.subarray(end + 1);
      if (line.trim() !== '') yield JSON.parse(line);
    }
    if (rest.length === 0) continue;
    pendingBytes += rest.length;
    if (pendingBytes > MAX_LINE_BYTES) throw new RangeError(`a watch line exceeds ${MAX_LINE_BYTES} bytes`);
    pending.push(rest);
  }
}
