/** One whole answer of HTTP/1.1. */
export interface Http1Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/**
 * The whole answers in a connection's bytes, each by its own length, up to a 101 or one that is unfinished.
 * `methods`: of the requests, in order; HEAD has no body. @throws Error at what is no answer
 */
export function http1Answers(text: string, methods: readonly string[]): Http1Answer[] {
  const answers: Http1Answer[] = [];
  for (let at = 0; ; ) {
    const end = text.indexOf('\r\n\r\n', at);
    if (end < 0) return answers;
    const [first = '', ...lines] = text.slice(at, end).split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3}) [ -~]*$/.exec(first)?.[1]);
    if (Number.isNaN(status)) throw new Error(`no answer: ${JSON.stringify(text.slice(at, at + 200))}`);
    const headers = new Map(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    );
    at = end + 4;
    if (status === 100) continue;
    const isEmpty = status < 200 || status === 204 || methods[answers.length] === 'HEAD';
    const body = isEmpty ? { text: '', end: at } : bodyAt(text, at, headers);
    if (body === undefined) return answers;
    answers.push({ status, headers, body: body.text });
    if (status === 101) return answers;
    at = body.end;
  }
}

function bodyAt(text: string, at: number, headers: ReadonlyMap<string, string>) {
  if (headers.get('transfer-encoding') === 'chunked') return chunksAt(text, at);
  const length = headers.get('content-length');
  // Without a length a body goes on to the end of its connection (RFC 9112 §6.3).
  const end = length === undefined ? text.length : at + Number(length);
  return end > text.length ? undefined : { text: text.slice(at, end), end };
}

function chunksAt(text: string, start: number) {
  let data = '';
  for (let at = start; ; ) {
    const line = text.indexOf('\r\n', at);
    const size = line < 0 ? Number.NaN : Number.parseInt(text.slice(at, line), 16);
    if (Number.isNaN(size) || line + 4 + size > text.length) return undefined;
    data += text.slice(line + 2, line + 2 + size);
    at = line + 4 + size;
    if (size === 0) return { text: data, end: at };
  }
}
