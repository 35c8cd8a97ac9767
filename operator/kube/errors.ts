/** The parts of a metav1.Status that we use. */
interface StatusBody {
  readonly kind?: unknown;
  readonly message?: unknown;
  readonly reason?: unknown;
  readonly details?: { readonly retryAfterSeconds?: unknown; readonly causes?: unknown };
}

export interface ApiErrorFacts {
  readonly status: number;
  /** metav1.Status reason, such as NotFound; empty if the answer was none of the API server's. */
  readonly reason: string;
  readonly message: string;
  readonly retryAfterSeconds?: number | undefined;
  /** Reasons of `details.causes`, such as NamespaceTerminating. */
  readonly causes?: readonly string[];
}

/** The API server answered, and not with what was asked for. `message` is its own sentence. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly reason: string;
  readonly retryAfterSeconds: number | undefined;
  readonly causes: readonly string[];

  constructor({ status, reason, message, retryAfterSeconds, causes = [] }: ApiErrorFacts) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.retryAfterSeconds = retryAfterSeconds;
    this.causes = causes;
  }
}

/** No answer came: connection refused, TLS, timeout. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
}

/** An error answer as an ApiError, whether its body is a Status or a proxy's page. */
export function apiErrorOf(status: number, body: string, retryAfter: string | undefined): ApiError {
  const parsed = parseStatus(body);
  const seconds = Number(retryAfter ?? parsed?.details?.retryAfterSeconds);
  return new ApiError({
    status,
    reason: typeof parsed?.reason === 'string' ? parsed.reason : '',
    message: typeof parsed?.message === 'string' ? parsed.message : `HTTP ${status}: ${body.slice(0, 200)}`,
    retryAfterSeconds: Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined,
    causes: causesOf(parsed),
  });
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.status === 409;
}

export function isForbidden(error: unknown): boolean {
  return error instanceof ApiError && error.status === 403;
}

/** The resource version is too old to continue from: list again. */
export function isExpired(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 410 || error.reason === 'Expired' || error.reason === 'Gone');
}

/** The API server refused for good: retries wait for a change, not for time. */
export function isTerminal(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 400 || error.status === 422);
}

function causesOf(status: StatusBody | undefined): string[] {
  const causes = status?.details?.causes;
  if (!Array.isArray(causes)) return [];
  return causes
    .map((cause: { reason?: unknown } | null) => cause?.reason)
    .filter((reason) => typeof reason === 'string');
}

function parseStatus(body: string): StatusBody | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null && (value as StatusBody).kind === 'Status' ? value : undefined;
  } catch {
    // Not JSON: a load balancer's page or a cut body. The caller shows its beginning.
    return undefined;
  }
}
