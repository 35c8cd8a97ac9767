/** Field names whose values never reach a log line, whatever they hold. */
const SECRET_NAMES =
  /^(authorization|proxy-authorization|cookie|set-cookie|token|password|key|secret|.*(token|password|privatekey))$/i;

/** Our own agent tokens and JWTs, wherever they stand in a text. */
const SECRET_TEXT = /\bct1\.[a-z0-9]+\.[\w-]{20,}|\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*/g;

const DEPTH_LIMIT = 4;

/** A copy of `fields` fit for a log: secrets replaced, errors reduced to what a reader needs. */
export function redact(fields: Readonly<Record<string, unknown>>, depth = 0): Record<string, unknown> {
  const clean: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    clean[name] = SECRET_NAMES.test(name) && typeof value === 'string' ? '[redacted]' : redactValue(value, depth);
  }
  return clean;
}

/** The text with every token in it replaced. */
export function redactText(text: string): string {
  return text.replace(SECRET_TEXT, '[redacted]');
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactText(value);
  if (value instanceof Error) return describeError(value);
  if (Array.isArray(value)) return value.map((entry) => redactValue(entry, depth + 1));
  if (typeof value !== 'object' || value === null) return value;
  return depth >= DEPTH_LIMIT ? '[deep]' : redact(value as Record<string, unknown>, depth + 1);
}

/** "what: why: why" along the chain of causes. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error; at !== undefined && parts.length < DEPTH_LIMIT; ) {
    if (!(at instanceof Error)) {
      parts.push(String(at));
      break;
    }
    const text = at instanceof AggregateError ? at.errors.map((each) => describeError(each)).join(', ') : at.message;
    parts.push(text === '' ? at.name : text);
    at = at.cause;
  }
  return redactText(parts.join(': '));
}
