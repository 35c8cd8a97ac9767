import { randomBytes } from 'node:crypto';
import { MAX_KEYS_PER_TUNNEL, mintAgentToken } from '../crds/agent-token.ts';
import type { ClusterTunnel, Spec } from '../crds/types.ts';
import { validateSpec } from '../crds/validate.ts';
import {
  type AgentKeys,
  type KeyOwner,
  readAgentKeys,
  writeAgentKeys,
} from '../operator/controller/keys/agent-keys.ts';
import { newKey } from '../operator/controller/keys/credentials.ts';
import { keysName } from '../operator/controller/names.ts';
import { manifest } from '../operator/controller/objects/desired.ts';
import { readGateway } from '../operator/controller/objects/publish.ts';
import type { KubeClient } from '../operator/kube/client.ts';
import { RESOURCES } from '../operator/kube/objects.ts';
import { yamlDocuments } from '../operator/kube/yaml.ts';
import { noGateway, noSuchTunnel } from './hub-objects.ts';
import { CommandError } from './output.ts';

/**
 * The manifest as YAML. The hash of its token is stored first: a manifest that was printed is valid.
 * @throws CommandError when there is none to be had.
 */
export async function renderManifest(
  client: KubeClient,
  { name, namespace }: { readonly name: string; readonly namespace: string },
  signal: AbortSignal,
): Promise<string> {
  const tunnel = await client.find<ClusterTunnel>(RESOURCES.clusterTunnel, { name }, signal);
  if (tunnel === undefined) throw noSuchTunnel(name, client.server);
  const spec = manualSpec(tunnel);
  const gateway = await readGateway(client, namespace, signal);
  if (gateway === undefined) throw noGateway(namespace);
  const owner: KeyOwner = { tunnel: name, tunnelUid: tunnel.metadata.uid, namespace };
  const seen = await readAgentKeys(client, owner, signal);
  refuseThirdKey(seen, owner);
  const minted = mintAgentToken(randomBytes);
  await writeAgentKeys(client, owner, seen, [...seen.keys, newKey(owner, minted, new Date())], signal);
  return yamlDocuments(manifest({ tunnel: name, spec, gateway, token: minted.token }));
}

function manualSpec(tunnel: ClusterTunnel): Spec {
  const { name } = tunnel.metadata;
  const checked = validateSpec(tunnel.spec);
  if ('errors' in checked) {
    throw new CommandError({
      what: `ClusterTunnel "${name}" cannot be used`,
      why: checked.errors.join('; '),
      remedy: `kubectl edit ct ${name}`,
    });
  }
  const { placement } = checked.spec.agent;
  if (placement === 'Manual') return checked.spec;
  throw new CommandError({
    what: `ClusterTunnel "${name}" needs no manifest`,
    why: `its spec.agent.placement is ${placement}: the operator deploys the agent itself`,
    remedy: `\`kubectl describe ct ${name}\` tells how it is; for a cluster that the operator cannot reach create one with placement Manual`,
  });
}

/** A live agent must not lose its key to a manifest that may never be applied. */
function refuseThirdKey({ keys }: AgentKeys, { tunnel, namespace }: KeyOwner): void {
  const [oldest] = keys;
  if (keys.length < MAX_KEYS_PER_TUNNEL || oldest === undefined) return;
  const issued = keys.map(({ keyId, createdAt }) => `${keyId} of ${createdAt}`).join(' and ');
  throw new CommandError({
    what: `ClusterTunnel "${tunnel}" has ${keys.length} valid tokens already`,
    why: `an agent may run with each of them: ${issued}`,
    remedy: `apply the manifest that you have, or end the older token: kubectl -n ${namespace} patch secret ${keysName(tunnel)} --type=json -p '[{"op":"remove","path":"/data/${oldest.keyId}"}]'`,
  });
}
