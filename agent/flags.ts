import type { Argv, InferredOptionTypes } from 'yargs';
import { parseDurationMs } from '../crds/quantities.ts';
import type { LogLevel } from '../process/log.ts';
import { mounted } from '../process/mounts.ts';
import { describeError } from '../process/redact.ts';
import { bypassesProxy } from './no-proxy.ts';

/** Where the kubelet mounts a pod's own identity. */
const SERVICE_ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

const HTTPS_PORT = 443;

/** What the agent is started with. Limits and timeouts are not here: they come over the session. */
export interface AgentConfig {
  /** https://host:port of the gateway, as agents reach it. */
  readonly gatewayUrl: string;
  /** http://host:port of the proxy on the way to the gateway; undefined: there is none, or the gateway is exempt from it. */
  readonly proxyUrl: string | undefined;
  /** Name of the ClusterTunnel, for logs: the token says whose agent this is. */
  readonly tunnel: string;
  readonly tokenFile: string;
  readonly caFile: string;
  /** Where probes and metrics are served. Port 0 picks a free one. */
  readonly bindAddress: string;
  readonly opsPort: number;
  /** Until the gateway tells others. */
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
  readonly logLevel: LogLevel;
  readonly logFormat: 'json' | 'text';
  /** https://host:port of the API server beside us. */
  readonly upstreamUrl: string;
  /** Folder with `token` and `ca.crt`. */
  readonly serviceAccountFolder: string;
}

const OPTIONS = {
  gateway: { type: 'string', demandOption: true, description: 'External URL of the gateway, https://host:port' },
  tunnel: { type: 'string', demandOption: true, description: 'Name of the ClusterTunnel' },
  'token-file': {
    type: 'string',
    default: '/var/run/clustertunnel/token',
    description: 'File with the agent token; read again for each connection',
  },
  'ca-file': {
    type: 'string',
    default: '/var/run/clustertunnel/ca.crt',
    description: 'File with the CA that signs the certificate of the gateway; no other is trusted',
  },
  'proxy-url': {
    type: 'string',
    description:
      'HTTP proxy on the way to the gateway (CONNECT), http://host:port; the variables HTTP_PROXY, HTTPS_PROXY and NO_PROXY are not read. The API server is always reached directly',
  },
  'no-proxy': {
    type: 'string',
    default: '',
    description:
      'When the gateway is among these, --proxy-url is not used: names (with all below them), addresses, CIDRs, each with :port if needed, or *; separated by commas',
  },
  'bind-address': { type: 'string', default: '0.0.0.0', description: 'Address for probes and metrics' },
  'ops-port': { type: 'number', default: 8081, description: 'Port for probes and metrics' },
  'min-backoff': { type: 'string', default: '1s', description: 'Longest delay before the first new attempt' },
  'max-backoff': { type: 'string', default: '30s', description: 'Longest delay before any new attempt' },
  'log-level': { choices: ['error', 'warn', 'info', 'debug'], default: 'info', description: 'Least severe level' },
  'log-format': { choices: ['json', 'text'], default: 'json', description: 'json for machines, text for people' },
} as const;

export type AgentArguments = InferredOptionTypes<typeof OPTIONS>;

/** Adds the agent's flags to a yargs command. */
export function agentFlags(argv: Argv) {
  return argv.options(OPTIONS);
}

/** Flags and environment, checked. @throws Error with one sentence naming the flag or variable. */
export function agentConfig(argv: AgentArguments, env: NodeJS.ProcessEnv): AgentConfig {
  const minBackoffMs = durationMs('min-backoff', argv['min-backoff']);
  const maxBackoffMs = durationMs('max-backoff', argv['max-backoff']);
  if (minBackoffMs > maxBackoffMs) throw new Error('--min-backoff must not exceed --max-backoff');
  return {
    gatewayUrl: gatewayUrl(argv.gateway),
    proxyUrl: proxyUrl(argv),
    tunnel: argv.tunnel,
    tokenFile: mounted(argv['token-file'], env),
    caFile: mounted(argv['ca-file'], env),
    bindAddress: argv['bind-address'],
    opsPort: port(argv['ops-port']),
    minBackoffMs,
    maxBackoffMs,
    logLevel: argv['log-level'] as LogLevel,
    logFormat: argv['log-format'] === 'text' ? 'text' : 'json',
    upstreamUrl: upstreamUrl(env),
    serviceAccountFolder: mounted(SERVICE_ACCOUNT_FOLDER, env),
  };
}

function gatewayUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'https:' || url.search !== '' || url.hash !== '' || url.username !== '') {
    throw new Error(`--gateway must be https://host:port, not ${JSON.stringify(text)}`);
  }
  return text.replace(/\/+$/, '');
}

/** The proxy that the gateway is reached through. */
function proxyUrl({ gateway, 'proxy-url': text, 'no-proxy': list }: AgentArguments): string | undefined {
  const { hostname, port } = new URL(gateway);
  let isExempt: boolean;
  try {
    isExempt = bypassesProxy(list, hostname, port === '' ? HTTPS_PORT : Number(port));
  } catch (error) {
    throw new Error(`--no-proxy: ${describeError(error)}`);
  }
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // Not repeated: it may hold credentials.
  if (url?.protocol !== 'http:' || url.href !== `${url.origin}/`) {
    throw new Error('--proxy-url must be http://host:port, without credentials or a path');
  }
  return isExempt ? undefined : url.origin;
}

/** The API server of the cluster this pod runs in. */
function upstreamUrl(env: NodeJS.ProcessEnv): string {
  const host = env['KUBERNETES_SERVICE_HOST'] ?? '';
  const portText = env['KUBERNETES_SERVICE_PORT'] ?? '443';
  if (host === '') throw new Error('KUBERNETES_SERVICE_HOST is not set: the agent runs in a pod of its cluster');
  return `https://${host.includes(':') ? `[${host}]` : host}:${portText}`;
}

function durationMs(flag: string, text: string): number {
  const ms = parseDurationMs(text);
  if (ms === undefined)
    throw new Error(`--${flag} must be a duration such as 500ms, 10s or 2m, not ${JSON.stringify(text)}`);
  return ms;
}

function port(value: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= 65_535) return value;
  throw new Error(`--ops-port must be a port from 0 to 65535, not ${value}`);
}
