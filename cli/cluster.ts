import { createClient, type KubeClient } from '../operator/kube/client.ts';
import { ApiError, isConflict, isForbidden, UnreachableError } from '../operator/kube/errors.ts';
import { loadKubeConfig } from '../operator/kube/kube-config.ts';
import { createTransport } from '../operator/kube/transport.ts';
import { systemClock } from '../process/clock.ts';
import { describeError } from '../process/redact.ts';
import type { HubFlags } from './hub-flags.ts';
import { CommandError } from './output.ts';

/** No command keeps a person waiting longer for the API server. */
const COMMAND_TIMEOUT_MS = 30_000;

/** Runs `work` with a client for the hub, and turns its errors into sentences. */
export async function withHub<T>(
  flags: HubFlags,
  work: (client: KubeClient, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const client = hubClient(flags);
  try {
    return await work(client, AbortSignal.timeout(COMMAND_TIMEOUT_MS));
  } catch (error) {
    throw asCommandError(error, client.server);
  } finally {
    await client.close();
  }
}

function hubClient({ kubeconfig, context }: HubFlags): KubeClient {
  try {
    const config = loadKubeConfig({ kubeconfig, context, env: process.env });
    return createClient(createTransport({ config, clock: systemClock }));
  } catch (error) {
    throw new CommandError({
      what: 'the kubeconfig of the hub cannot be used',
      why: describeError(error),
      remedy: 'name it with --kubeconfig, and its context with --context (see `kubectl config get-contexts`)',
    });
  }
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
