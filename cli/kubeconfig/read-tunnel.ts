import type { ClusterTunnel } from '../../crds/types.ts';
import { endpointOf } from '../../operator/controller/names.ts';
import { readGateway } from '../../operator/controller/objects/publish.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { isForbidden } from '../../operator/kube/errors.ts';
import { RESOURCES } from '../../operator/kube/objects.ts';
import { noGateway, noSuchTunnel } from '../hub-objects.ts';
import { CommandError } from '../output.ts';

/** How a tunnel is reached. */
export interface TunnelFacts {
  /** Its URL at the gateway. */
  readonly server: string;
  /** PEM of the gateway's CA. */
  readonly caPem: string;
  /** What a person should know about it, a sentence each. */
  readonly notes: readonly string[];
}

/** A Kubernetes object name (RFC 1123 subdomain): all that can stand in the gateway's path. */
const TUNNEL_NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;

/**
 * Asks the hub. Who may use a tunnel may not always look at its object: then its URL follows from the gateway's.
 * @throws CommandError when there is no such tunnel or no gateway; what KubeClient throws
 */
export async function readTunnel(
  client: KubeClient,
  { name, namespace }: { readonly name: string; readonly namespace: string },
  signal: AbortSignal,
): Promise<TunnelFacts> {
  demandName(name);
  const [tunnel, gateway] = await Promise.all([
    findTunnel(client, name, signal),
    readGateway(client, namespace, signal),
  ]);
  if (tunnel === undefined) throw noSuchTunnel(name, client.server);
  if (gateway === undefined) throw noGateway(namespace);
  const guess = endpointOf(gateway.url, name);
  if (tunnel === 'forbidden') {
    return {
      server: guess,
      caPem: gateway.caPem,
      notes: [`it was not checked that tunnel "${name}" exists: you may not get clustertunnels`],
    };
  }
  return { server: tunnel.status?.endpoint ?? guess, caPem: gateway.caPem, notes: notesOn(tunnel) };
}

async function findTunnel(
  client: KubeClient,
  name: string,
  signal: AbortSignal,
): Promise<ClusterTunnel | undefined | 'forbidden'> {
  try {
    return await client.find<ClusterTunnel>(RESOURCES.clusterTunnel, { name }, signal);
  } catch (error) {
    if (isForbidden(error)) return 'forbidden';
    throw error;
  }
}

function notesOn({ metadata, status }: ClusterTunnel): string[] {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  if (ready?.status === 'True') return [];
  return [`tunnel "${metadata.name}" is not Ready${ready === undefined ? ' yet' : `: ${ready.message}`}`];
}

function demandName(name: string): void {
  if (TUNNEL_NAME.test(name)) return;
  throw new CommandError({
    what: `${JSON.stringify(name)} is no name of a ClusterTunnel`,
    why: 'names are lower-case letters, digits, dashes and dots',
    remedy: '`kubectl get ct` lists the tunnels of the hub',
  });
}
