/** One request as RFC 9112 has it, read without any leniency but those it grants a server by name. */
export interface StrictRequest {
  readonly method: string;
  readonly target: string;
  readonly isUpgrade: boolean;
  /** The whole body; undefined: it did not all come, or it is malformed. */
  readonly body: Buffer | undefined;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
/** Between its words a server may take several spaces for one (§3). */
const REQUEST_LINE = new RegExp(`^(${TOKEN}) +([\\x21-\\x7e]+) HTTP/1\\.([01])$`);
const FIELD = new RegExp(`^(${TOKEN}):[ \\t]*([\\t\\x20-\\x7e\\x80-\\xff]*)$`);
const CHUNK = new RegExp(
  `^([0-9A-Fa-f]{1,12})((?:;${TOKEN}(?:=(?:${TOKEN}|"(?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t\\x20-\\x7e\\x80-\\xff])*"))?)*)$`,
);
const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9._~-]*)(:[0-9]*)?$/i;
const DIGITS = /^[0-9]+$/;

/** The requests in a client's bytes, in order: none behind the first that is malformed, unfinished, or the last by its own words. */
export function strictRequests(bytes: Buffer): StrictRequest[] {
  const text = bytes.toString('latin1');
  const requests: StrictRequest[] = [];
  for (let at: number | undefined = 0; at !== undefined; ) {
    // Empty lines before a request line are skipped (§2.2).
    const start: number = at + (/^(\r?\n)*/.exec(text.slice(at))?.[0].length ?? 0);
    const end = text.indexOf('\r\n\r\n', start);
    const head = end < 0 ? undefined : readHead(text.slice(start, end));
    if (head === undefined) break;
    const body = head.isUpgrade ? undefined : readBody(text, end + 4, head);
    const { method, target, isUpgrade } = head;
    requests.push({ method, target, isUpgrade, body: body?.bytes });
    at = head.isLast ? undefined : body?.end;
  }
  return requests;
}

interface Head {
  readonly method: string;
  readonly target: string;
  readonly isUpgrade: boolean;
  readonly isLast: boolean;
  /** Of the body, in bytes. */
  readonly length: number | 'chunked';
}

function readHead(text: string): Head | undefined {
  const [first = '', ...lines] = text.split('\r\n');
  const [, method, target, minor] = REQUEST_LINE.exec(first) ?? [];
  const fields = lines.map((line) => FIELD.exec(line));
  if (method === undefined || target === undefined || fields.includes(null)) return undefined;
  const values = (name: string) =>
    fields.flatMap((field) => (field?.[1]?.toLowerCase() === name ? [(field[2] ?? '').trim()] : []));
  const length = lengthOf(values('content-length'), values('transfer-encoding'), minor === '0');
  if (length === undefined || !isHost(values('host'), minor === '0')) return undefined;
  const options = values('connection').flatMap((value) => value.toLowerCase().split(/[ \t]*,[ \t]*/));
  const isUpgrade = options.includes('upgrade') && values('upgrade').length > 0;
  const isLast = options.includes('close') || (minor === '0' && !options.includes('keep-alive'));
  return { method, target, isUpgrade, length, isLast: isLast || isUpgrade || method === 'CONNECT' };
}

/** §3.2: one in HTTP/1.1. */
function isHost(hosts: readonly string[], isOld: boolean): boolean {
  return hosts.length <= 1 && (isOld || hosts.length === 1) && hosts.every((host) => HOST.test(host));
}

/** §6: in bytes; undefined when two readers might see two. */
function lengthOf(
  lengths: readonly string[],
  codings: readonly string[],
  isOld: boolean,
): number | 'chunked' | undefined {
  if (lengths.length + codings.length > 1) return undefined;
  const [[length = '0'], [coding]] = [lengths, codings];
  if (coding !== undefined) return coding.toLowerCase() === 'chunked' && !isOld ? 'chunked' : undefined;
  return DIGITS.test(length) ? Number(length) : undefined;
}

function readBody(text: string, at: number, { length }: Head): { bytes: Buffer; end: number } | undefined {
  if (length === 'chunked') return readChunks(text, at);
  const end = at + length;
  return end > text.length ? undefined : { bytes: Buffer.from(text.slice(at, end), 'latin1'), end };
}

function readChunks(text: string, start: number): { bytes: Buffer; end: number } | undefined {
  let data = '';
  for (let at = start; ; ) {
    const lineEnd = text.indexOf('\r\n', at);
    const size = lineEnd < 0 ? undefined : CHUNK.exec(text.slice(at, lineEnd))?.[1];
    if (size === undefined) return undefined;
    const from = lineEnd + 2;
    const to = from + Number.parseInt(size, 16);
    if (to === from) return readTrailers(text, from, data);
    if (text.slice(to, to + 2) !== '\r\n') return undefined;
    data += text.slice(from, to);
    at = to + 2;
  }
}

function readTrailers(text: string, start: number, data: string): { bytes: Buffer; end: number } | undefined {
  for (let at = start; ; ) {
    const end = text.indexOf('\r\n', at);
    if (end < 0) return undefined;
    if (end === at) return { bytes: Buffer.from(data, 'latin1'), end: end + 2 };
    if (!FIELD.test(text.slice(at, end))) return undefined;
    at = end + 2;
  }
}
