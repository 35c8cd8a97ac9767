import { createClient, type KubeClient } from '../operator/kube/client.ts';
import { ApiError, isConflict, isForbidden, UnreachableError } from '../operator/kube/errors.ts';
import { loadKubeConfig } from '../operator/kube/kube-config.ts';
import { createTransport } from '../operator/kube/transport.ts';
import { systemClock } from '../process/clock.ts';
import { describeError } from '../process/redact.ts';
import type { HubFlags } from './hub-flags.ts';
import type { Fields } from './kubeconfig/document.ts';
import { kubeconfigPaths, readKubeconfigs } from './kubeconfig/files.ts';
import { findHub, hubKubeconfig, type Sourced } from './kubeconfig/find-hub.ts';
import { CommandError } from './output.ts';

/** No command keeps a person waiting longer for the API server. */
const COMMAND_TIMEOUT_MS = 30_000;

/** Who speaks to the hub from a pod of it. Source: kubelet. */
const POD_TOKEN_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/** The kubeconfig of the hub, and who goes to it. */
export interface HubConfig {
  /** Undefined: the context names no user. Its path is empty when it comes from no file. */
  readonly user: Sourced | undefined;
  /** Undefined inside a pod without a kubeconfig. */
  readonly context: string | undefined;
  readonly cluster: Fields;
  /** The files that it was put together from. */
  readonly paths: readonly string[];
}

/** Runs `work` with a client for the hub, and turns its errors into sentences. */
export async function withHub<T>(
  flags: HubFlags,
  work: (client: KubeClient, signal: AbortSignal, config: HubConfig) => Promise<T>,
  env: NodeJS.ProcessEnv = process.env,
): Promise<T> {
  const { client, ...config } = openHub(flags, env);
  try {
    return await work(client, AbortSignal.timeout(COMMAND_TIMEOUT_MS), config);
  } catch (error) {
    throw asCommandError(error, client.server);
  } finally {
    await client.close();
  }
}

/** As kubectl would: the kubeconfig's files, and inside a pod without any its ServiceAccount. */
function openHub({ kubeconfig, context }: HubFlags, env: NodeJS.ProcessEnv): HubConfig & { client: KubeClient } {
  try {
    const paths = kubeconfigPaths(kubeconfig, env);
    const files = readKubeconfigs(paths);
    if (files.length > 0) {
      const hub = findHub(files, context);
      const { user, cluster } = hub;
      const client = clientOf({ text: hubKubeconfig(hub), env });
      return { client, user, context: hub.context.name, cluster: cluster.fields, paths };
    }
    if (kubeconfig !== undefined || env['KUBERNETES_SERVICE_HOST'] === undefined) {
      throw new Error(`there is none: no ${paths.join(', no ')}`);
    }
    const user = { name: 'in-cluster', path: '', fields: { tokenFile: POD_TOKEN_FILE } };
    const client = clientOf({ env: { ...env, KUBECONFIG: undefined } });
    return { client, user, context: undefined, cluster: {}, paths: [] };
  } catch (error) {
    throw new CommandError({
      what: 'the kubeconfig of the hub cannot be used',
      why: describeError(error),
      remedy: 'name it with --kubeconfig, and its context with --context (see `kubectl config get-contexts`)',
    });
  }
}

function clientOf(choice: Parameters<typeof loadKubeConfig>[0]): KubeClient {
  return createClient(createTransport({ config: loadKubeConfig(choice), clock: systemClock }));
}

function asCommandError(error: unknown, server: string): unknown {
  if (error instanceof UnreachableError || (error instanceof Error && error.name === 'TimeoutError')) {
    return new CommandError({
      what: `the hub at ${server} does not answer`,
      why: describeError(error),
      remedy: 'check that `kubectl --context <hub> get ct` works, and name the context with --context',
    });
  }
  if (error instanceof ApiError) {
    return new CommandError({
      what: `the hub at ${server} refused`,
      why: describeError(error),
      remedy: remedyOf(error),
    });
  }
  return error;
}

function remedyOf(error: ApiError): string {
  if (isForbidden(error)) return 'ask an administrator of the hub for this right';
  if (isConflict(error)) return 'somebody else changed the object meanwhile: run the command again';
  return error.status === 401
    ? 'log in to the hub again, or name another context with --context'
    : 'see the reason above';
}
