/** Field and header names whose values never reach a log line, whatever they hold. */
const SECRET_NAMES =
  /^(authorization|proxy-authorization|cookie|set-cookie|sec-websocket-protocol|impersonate-(uid|extra-.*)|key|.*api[-_]?key|.*(token|password|secret|private[-_]?key|key[-_]?data|credentials?))$/i;

/** Our own agent tokens, JWTs, and what follows "Bearer" or "Basic" and holds a digit (no word of a sentence), wherever they stand. */
const SECRET_TEXT =
  /\bct1\.[a-z0-9]+\.[\w-]{20,}|\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*|\b(?:bearer|basic)\s+(?=\S*\d)[\w.~+/=-]{8,}/gi;
/** In a URL: what a parameter says that is called like a secret, and the password in front of a host. */
const SECRET_PARAMETER = /([?&][\w.-]*(?:token|secret|password|signature|key)=)[^\s&"']+/gi;
const PASSWORD = /(:\/\/[^\s/?#@:]*:)[^\s/?#@]+(?=@)/g;

const HIDDEN = '[redacted]';
const DEPTH_LIMIT = 4;
/** Longest text of one field, in characters, before and after secrets were replaced. */
const SCANNED_TEXT = 16 * 1024;
const KEPT_TEXT = 8 * 1024;
/** Most entries of one list or object, and most values of one record. */
const BREADTH_LIMIT = 100;
const VALUES_LIMIT = 1_000;

/** A copy of `fields` fit for a log: secrets replaced, errors reduced to what a reader needs, bounded, always JSON. */
export function redact(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return new Redaction().object(fields, 0);
}

/** The text with every token in it replaced. */
export function redactText(text: string): string {
  const clean = text.replace(SECRET_TEXT, HIDDEN);
  // Most texts hold no URL.
  if (!clean.includes('=') && !clean.includes('@')) return clean;
  return clean.replace(SECRET_PARAMETER, `$1${HIDDEN}`).replace(PASSWORD, `$1${HIDDEN}`);
}

/** "what: why: why" along the chain of causes. */
export function describeError(error: unknown): string {
  return boundedText(chainOf(error, 0).join(': '));
}

/** One record on its way to the log: it may hold only so many values. */
class Redaction {
  #valuesLeft = VALUES_LIMIT;

  object(fields: object, depth: number): Record<string, unknown> {
    const entries: [string, unknown][] = [];
    const names = Object.keys(fields);
    for (const name of names.slice(0, BREADTH_LIMIT)) {
      entries.push([name, this.#named(name, read(fields, name), depth)]);
    }
    if (names.length > BREADTH_LIMIT) entries.push(['…', `${names.length - BREADTH_LIMIT} more`]);
    return Object.fromEntries(entries);
  }

  #named(name: string, value: unknown, depth: number): unknown {
    const isSecret = SECRET_NAMES.test(name) && value !== undefined && value !== null;
    return isSecret ? HIDDEN : this.#value(value, depth);
  }

  /** Raw header lists are flat: the value of a secret name follows it. */
  #list(values: readonly unknown[], depth: number): unknown[] {
    const clean = values.slice(0, BREADTH_LIMIT).map((value, index) => {
      const before = values[index - 1];
      return this.#named(typeof before === 'string' ? before : '', value, depth);
    });
    return values.length > BREADTH_LIMIT ? [...clean, `… ${values.length - BREADTH_LIMIT} more`] : clean;
  }

  #value(value: unknown, depth: number): unknown {
    this.#valuesLeft -= 1;
    if (typeof value === 'string') return boundedText(value);
    if (typeof value === 'bigint') return String(value);
    if (typeof value === 'function' || typeof value === 'symbol') return `[${typeof value}]`;
    if (typeof value !== 'object' || value === null) return value;
    if (depth >= DEPTH_LIMIT) return '[deep]';
    return this.#valuesLeft < 0 ? '[more]' : this.#thing(value, depth + 1);
  }

  #thing(value: object, depth: number): unknown {
    if (value instanceof Error) return describeError(value);
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? '[invalid date]' : value.toISOString();
    if (value instanceof URL) return boundedText(value.href);
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
    if (Array.isArray(value)) return this.#list(value, depth);
    if (value instanceof Set) return this.#list([...first(value)], depth);
    if (value instanceof Map) return this.#list([...first(value)].flat(), depth);
    return this.object(value, depth);
  }
}

/** A few entries more than are shown, so that a list knows that it was cut. */
function* first<T>(entries: Iterable<T>): Generator<T> {
  let left = BREADTH_LIMIT + 1;
  for (const entry of entries) {
    if (left-- === 0) return;
    yield entry;
  }
}

function read(fields: object, name: string): unknown {
  try {
    return (fields as Record<string, unknown>)[name];
  } catch {
    // A getter that throws is not worth losing the record.
    return '[unreadable]';
  }
}

/** Replaces first and cuts then: half a token would no longer look like one. */
function boundedText(text: string): string {
  const clean = redactText(text.slice(0, SCANNED_TEXT));
  const isCut = clean.length > KEPT_TEXT || text.length > SCANNED_TEXT;
  return isCut ? `${clean.slice(0, KEPT_TEXT)}… (${text.length} characters)` : clean;
}

function chainOf(error: unknown, depth: number): string[] {
  const parts: string[] = [];
  for (let at = error; parts.length < DEPTH_LIMIT; at = at.cause) {
    if (at === undefined && parts.length > 0) break;
    if (!(at instanceof Error)) return [...parts, textOf(at)];
    parts.push(messageOf(at, depth));
  }
  return parts;
}

function messageOf(error: Error, depth: number): string {
  if (error instanceof AggregateError && error.errors.length > 0 && depth < DEPTH_LIMIT) {
    const each = error.errors.slice(0, DEPTH_LIMIT).map((one) => chainOf(one, depth + 1).join(': '));
    return each.join(', ').slice(0, SCANNED_TEXT);
  }
  return error.message === '' ? error.name : textOf(error.message).slice(0, SCANNED_TEXT);
}

function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    // An object without a prototype has no text.
    return '[object]';
  }
}
