import { type AccessSettings, PROBE_USER } from '../crds/access-settings.ts';
import { canPassAsExtra } from '../crds/extra-keys.ts';
import type { Clock } from '../process/clock.ts';
import { describeError } from '../process/redact.ts';
import type { Identity, RawHeaders } from '../tunnel/wire/head.ts';
import { identityHeaders } from '../upstream/outgoing-headers.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { codeOf, connectSentence } from '../upstream/upstream-trouble.ts';

/** What asking the API server has shown. */
export interface ProbeResult {
  readonly isHealthy: boolean;
  /** CamelCase, for conditions. */
  readonly reason: string;
  /** One sentence for people. */
  readonly message: string;
  /** gitVersion; empty while unknown. */
  readonly kubernetesVersion: string;
  /** Of the probe's first request. */
  readonly latencyMs: number;
}

export interface ProbeOptions {
  readonly upstream: Upstream;
  /** The agent's own token. */
  readonly token: () => Promise<string>;
  readonly onUnauthorized: () => void;
  /** As whom it asks; undefined: as itself, as users do. */
  readonly identity: () => Identity | undefined;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

/** A probe's answer is a sentence, or a version document: more is not read. */
const MAX_BODY_BYTES = 64 * 1024;

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Asks /readyz as the agent itself, then /version as a user whom it impersonates, if users are; without a worker. Never rejects. */
export async function probe(options: ProbeOptions, signal: AbortSignal): Promise<ProbeResult> {
  const { clock, onUnauthorized } = options;
  const startedMs = clock.nowMs();
  let latencyMs = 0;
  const say = (isHealthy: boolean, reason: string, message: string, kubernetesVersion = ''): ProbeResult => {
    return { isHealthy, reason, message, kubernetesVersion, latencyMs };
  };
  try {
    const ready = await ask(options, '/readyz', [], signal);
    latencyMs = clock.nowMs() - startedMs;
    if (ready.status === 401) {
      onUnauthorized();
      return say(false, 'CredentialRefused', "the API server does not accept the agent's service account token");
    }
    const identity = options.identity();
    const version = await ask(options, '/version', identity === undefined ? [] : identityHeaders(identity), signal);
    if (version.status === 403 && version.body.includes('cannot impersonate')) return say(false, ...denied(version));
    const kubernetesVersion = gitVersionOf(version.body);
    if (ready.status === 200) return say(true, 'Healthy', 'the API server is ready', kubernetesVersion);
    // Who may not ask for readiness can still see that the server answers.
    const mayNotAsk = ready.status === 403 || ready.status === 404;
    if (mayNotAsk && version.status === 200) {
      return say(true, 'Healthy', 'the API server answers; the agent may not ask for /readyz', kubernetesVersion);
    }
    const first = ready.body.split('\n').find((line) => line.startsWith('[-]')) ?? '';
    return say(
      false,
      'NotReady',
      `the API server answered ${ready.status} to /readyz ${first}`.trim(),
      kubernetesVersion,
    );
  } catch (error) {
    latencyMs = clock.nowMs() - startedMs;
    return say(false, ...troubleOf(error, options));
  }
}

/** As whom an agent asks: somebody with every extra that a user may have; undefined: users act as the agent, and so does it. */
export function probeIdentity({ mode, extras }: AccessSettings): Identity | undefined {
  if (mode === 'Agent') return undefined;
  const known = extras.filter(canPassAsExtra).map((key) => ({ key, values: [PROBE_USER] }));
  return { user: PROBE_USER, uid: '', groups: [], ...(known.length === 0 ? {} : { extras: known }) };
}

/** Reason and sentence. */
function denied({ body }: Answer): [string, string] {
  const [, extra] = /resource \\?"(userextras\/[^"\\]+)/.exec(body) ?? [];
  if (extra === undefined) return ['ImpersonationDenied', NO_USERS];
  const remedy =
    'apply config/extras with this key there (Manual: the manifest again), or take it out of spec.access.impersonate.extras';
  const effect = 'so users who have this extra are refused';
  return ['ImpersonationDenied', `the agent's service account may not impersonate ${extra}, ${effect}: ${remedy}`];
}

const NO_USERS =
  "the agent's service account may not impersonate users, so every request is refused: restore its ClusterRoleBinding to clustertunnel-agent";

/** Reason and sentence. */
function troubleOf(error: unknown, { upstream, timeoutMs }: ProbeOptions): [string, string] {
  if (!(error instanceof Error)) return ['Unreachable', String(error)];
  if (error instanceof ProbeTimeout) return ['Timeout', `${upstream.url} did not answer within ${timeoutMs} ms`];
  const code = codeOf(error);
  return ['Unreachable', `${upstream.url}: ${code === '' ? describeError(error) : connectSentence(code, error)}`];
}

class ProbeTimeout extends Error {
  override readonly name = 'ProbeTimeout';
}

/** One small request. @throws when there is no whole answer in time. */
async function ask(
  options: ProbeOptions,
  path: string,
  identity: readonly string[],
  signal: AbortSignal,
): Promise<Answer> {
  const { upstream, clock, timeoutMs } = options;
  const token = await options.token();
  const abort = new AbortController();
  const cancelTimeout = clock.after(timeoutMs, () => abort.abort(new ProbeTimeout('no answer in time')));
  const onStop = () => abort.abort(signal.reason);
  signal.addEventListener('abort', onStop, { once: true });
  const headers = [
    'Accept',
    'application/json',
    'Authorization',
    `Bearer ${token}`,
    'User-Agent',
    'clustertunnel-agent',
    ...identity,
  ];
  const request = { method: 'GET', path, headers, body: undefined, headersTimeoutMs: timeoutMs };
  try {
    signal.throwIfAborted();
    return await new Promise<Answer>((resolve, reject) => {
      // A request that still waits for its connection hears of the abort only when it has one.
      abort.signal.addEventListener('abort', () => reject(abort.signal.reason), { once: true });
      upstream.exchange(request, collect(resolve, reject, abort), abort.signal);
    });
  } finally {
    cancelTimeout();
    signal.removeEventListener('abort', onStop);
  }
}

function collect(resolve: (answer: Answer) => void, reject: (error: Error) => void, abort: AbortController) {
  const chunks: Uint8Array[] = [];
  let status = 0;
  let bytes = 0;
  return {
    onStart: () => {},
    onHead: (code: number, _headers: RawHeaders) => {
      status = code;
    },
    onData: (chunk: Uint8Array) => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes > MAX_BODY_BYTES) abort.abort(new Error(`an answer of more than ${MAX_BODY_BYTES} bytes`));
    },
    onEnd: () => resolve({ status, body: Buffer.concat(chunks).toString('utf8') }),
    onError: reject,
    onGone: () => {},
  };
}

function gitVersionOf(body: string): string {
  try {
    const version: unknown = JSON.parse(body);
    const text = (version as { gitVersion?: unknown } | null)?.gitVersion;
    return typeof text === 'string' ? text.slice(0, 64) : '';
  } catch {
    // A server without /version has no version to tell.
    return '';
  }
}
