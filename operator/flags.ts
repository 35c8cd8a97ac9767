import type { Argv } from 'yargs';
import type { LogLevel } from '../process/log.ts';

/** What the operator is told at start. Read once, in main.ts. */
export interface OperatorConfig {
  readonly role: 'all';
  /** Where agents and users reach the gateway: https://host[:port]. */
  readonly externalUrl: string;
  /** Namespace of the operator: its Secrets, its Lease. */
  readonly namespace: string;
  /** Name of this replica. */
  readonly podName: string;
  /** Image of the agents, unless a tunnel names its own. */
  readonly agentImage: string;
  readonly bindAddress: string;
  readonly gatewayPort: number;
  readonly opsPort: number;
  /** Whether clients may speak HTTP/2; HTTP/1.1 they always may. */
  readonly http2: boolean;
  /** Sum of receive windows of the gateway process, in bytes. */
  readonly maxBufferBytes: number;
  /** Audiences of which users' tokens must be for one; none: the hub's API server. */
  readonly tokenAudiences: readonly string[];
  /** Origins of web pages that may ask the gateway, beside its own. */
  readonly allowedOrigins: readonly string[];
  /** Unknown tokens that one address may try a second, in the long run; 0: any number. */
  readonly failedLoginsPerSecond: number;
  /** How many requests one user may send to each gateway; undefined: any number. */
  readonly userRate: { readonly requestsPerSecond: number; readonly burst: number } | undefined;
  /** How long after SIGTERM everything is served as before, while others learn that this replica leaves. */
  readonly shutdownDelaySeconds: number;
  /** How long running requests may take to finish after that. */
  readonly drainSeconds: number;
  /** How long the deletion of a tunnel waits for a remote cluster that does not answer. */
  readonly remoteRemovalTimeoutSeconds: number;
  readonly kubeconfig: string | undefined;
  readonly logLevel: LogLevel;
  readonly logFormat: 'json' | 'text';
}

const MEBIBYTE = 1024 * 1024;

/** Adds the operator's flags. Environment variables stand in for flags that are not given. */
export function operatorFlags(argv: Argv, env: NodeJS.ProcessEnv) {
  return gatewayFlags(argv)
    .option('role', { choices: ['all'] as const, default: 'all' as const, describe: 'What this process does' })
    .option('external-url', {
      type: 'string',
      default: env['CLUSTERTUNNEL_EXTERNAL_URL'],
      demandOption: env['CLUSTERTUNNEL_EXTERNAL_URL'] === undefined,
      describe: 'https URL under which agents and users reach the gateway',
    })
    .option('namespace', {
      type: 'string',
      default: env['POD_NAMESPACE'] ?? 'clustertunnel-system',
      describe: "The operator's own namespace",
    })
    .option('agent-image', {
      type: 'string',
      default: env['CLUSTERTUNNEL_AGENT_IMAGE'] ?? 'clustertunnel:0.1.0',
      describe: 'Image of the agents, unless spec.agent.image says otherwise',
    })
    .option('bind-address', { type: 'string', default: env['POD_IP'] ?? '0.0.0.0', describe: 'Address to listen on' })
    .option('gateway-port', { type: 'number', default: 8443, describe: 'Port for users and agents (TLS)' })
    .option('ops-port', { type: 'number', default: 8080, describe: 'Port for /livez, /readyz, /metrics' })
    .option('shutdown-delay-seconds', {
      type: 'number',
      default: Number(env['CLUSTERTUNNEL_SHUTDOWN_DELAY'] ?? 5),
      describe:
        'How long after SIGTERM new requests are served as before while /readyz says no: load balancers need that to go elsewhere',
    })
    .option('drain-seconds', { type: 'number', default: 30, describe: 'Time for running requests after that' })
    .option('remote-removal-timeout', {
      type: 'number',
      default: Number(env['CLUSTERTUNNEL_REMOTE_REMOVAL_TIMEOUT'] ?? 300),
      describe: 'Seconds that a deletion waits for a remote cluster that does not answer, then leaves the agent there',
    })
    .option('kubeconfig', { type: 'string', describe: 'Outside a cluster: how to reach the hub' })
    .option('log-level', { choices: ['error', 'warn', 'info', 'debug'] as const, default: 'info' as const })
    .option('log-format', { choices: ['json', 'text'] as const, default: 'json' as const });
}

/** What the gateway lets in, and how. */
function gatewayFlags(argv: Argv) {
  return argv
    .option('http2', {
      type: 'boolean',
      default: true,
      describe: 'Offer HTTP/2 beside HTTP/1.1 on the gateway port; --http2=false where something on the way breaks it',
    })
    .option('max-buffer-bytes', {
      type: 'number',
      default: 128 * MEBIBYTE,
      describe: 'Most bytes that all streams of this gateway may hold',
    })
    .option('token-audience', {
      type: 'string',
      array: true,
      nargs: 1,
      default: [] as string[],
      describe:
        "Audience of users' tokens; may be repeated: one of them must be in a token. Default: the hub's API server",
    })
    .option('allowed-origin', {
      type: 'string',
      array: true,
      nargs: 1,
      default: [] as string[],
      describe:
        'Origin of web pages that may ask the gateway (https://host[:port]); may be repeated. Default: its own only',
    })
    .option('failed-logins-per-second', {
      type: 'number',
      default: 20,
      describe:
        'Unknown tokens that one address may try, ten times as many in a burst; then 429. Raise it where many users share one address; 0: any number',
    })
    .option('user-requests-per-second', {
      type: 'number',
      default: 0,
      describe: 'Requests a second that one user may send to each gateway, over all tunnels; then 429. 0: any number',
    })
    .option('user-request-burst', {
      type: 'number',
      default: 0,
      describe: 'Requests that one user may send at once after a quiet time. 0: twice --user-requests-per-second',
    });
}

type OperatorArguments = Awaited<ReturnType<typeof operatorFlags>['argv']>;

/**
 * The checked configuration.
 * @throws Error that names the flag and the remedy.
 */
export function operatorConfig(given: OperatorArguments, env: NodeJS.ProcessEnv): OperatorConfig {
  return {
    role: given.role,
    externalUrl: checkedUrl(given['external-url'] ?? ''),
    namespace: given.namespace,
    podName: env['POD_NAME'] ?? `local-${process.pid}`,
    agentImage: given['agent-image'],
    bindAddress: given['bind-address'],
    gatewayPort: checkedPort('--gateway-port', given['gateway-port']),
    opsPort: checkedPort('--ops-port', given['ops-port']),
    http2: given.http2,
    maxBufferBytes: atLeast('--max-buffer-bytes', given['max-buffer-bytes'], MEBIBYTE),
    tokenAudiences: given['token-audience'].map(checkedAudience),
    allowedOrigins: given['allowed-origin'].map(checkedOrigin),
    failedLoginsPerSecond: atLeast('--failed-logins-per-second', given['failed-logins-per-second'], 0),
    userRate: userRate(given['user-requests-per-second'], given['user-request-burst']),
    shutdownDelaySeconds: atLeast('--shutdown-delay-seconds', given['shutdown-delay-seconds'], 0),
    drainSeconds: atLeast('--drain-seconds', given['drain-seconds'], 0),
    remoteRemovalTimeoutSeconds: atLeast('--remote-removal-timeout', given['remote-removal-timeout'], 0),
    kubeconfig: given.kubeconfig,
    logLevel: given['log-level'],
    logFormat: given['log-format'],
  };
}

/** At least one request comes through at once, or nobody's ever would. */
function userRate(perSecond: number, burst: number): OperatorConfig['userRate'] {
  const requestsPerSecond = atLeast('--user-requests-per-second', perSecond, 0);
  const atOnce = atLeast('--user-request-burst', burst, 0);
  if (requestsPerSecond === 0) return undefined;
  return { requestsPerSecond, burst: Math.max(1, atOnce === 0 ? 2 * requestsPerSecond : atOnce) };
}

/** Scheme and host only, without a trailing slash: paths are ours to add. */
function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url !== undefined && url.protocol === 'https:' && url.pathname === '/' && url.search === '';
  if (!isPlain || url.username !== '') {
    throw new Error(
      `--external-url ${JSON.stringify(text)}: must be https://host or https://host:port, for example https://gateway.example.com`,
    );
  }
  return url.origin;
}

function checkedAudience(audience: string): string {
  if (audience !== '') return audience;
  throw new Error('--token-audience "": must not be empty; leave it out to ask for the audience of the API server');
}

function checkedOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.origin === text.toLowerCase()) return url.origin;
  throw new Error(
    `--allowed-origin ${JSON.stringify(text)}: must be an origin, for example https://console.example.com`,
  );
}

function checkedPort(flag: string, port: number): number {
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new Error(`${flag} ${port}: must be a port number, 0 to 65535`);
}

function atLeast(flag: string, value: number, least: number): number {
  if (Number.isFinite(value) && value >= least) return value;
  throw new Error(`${flag} ${value}: must be a number >= ${least}`);
}
