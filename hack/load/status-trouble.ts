import type { Attempt } from './history.ts';

/** What is wrong with an error answer as a metav1.Status of its HTTP status; undefined: nothing. */
export function statusTrouble({
  status,
  contentType,
  text,
  retryAfter,
}: Pick<Attempt, 'status' | 'contentType' | 'text' | 'retryAfter'>): string | undefined {
  if (status === undefined || status < 400) return `${status} is no error, and not the upstream's answer`;
  if (contentType !== 'application/json') return `its content type is ${contentType}`;
  const body = parsed(text);
  if (body === undefined) return `it is no JSON: ${text.slice(0, 80)}`;
  const { kind, apiVersion, status: outcome, code, reason, message, details } = body;
  if (kind !== 'Status' || apiVersion !== 'v1' || outcome !== 'Failure')
    return `it is no v1 Status: ${text.slice(0, 80)}`;
  if (code !== status) return `its code is ${code}`;
  if (!isText(reason) || !isText(message)) return 'it gives no reason or message';
  if (retryAfter !== undefined && !/^\d+$/.test(retryAfter)) return `Retry-After is ${retryAfter}`;
  const told = (details as { retryAfterSeconds?: unknown } | undefined)?.retryAfterSeconds;
  if (told !== (retryAfter === undefined ? undefined : Number(retryAfter))) {
    return `Retry-After is ${retryAfter}, retryAfterSeconds ${told}`;
  }
  return undefined;
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}
