import { applyObject } from '../../kube/apply.ts';
import type { KubeClient } from '../../kube/client.ts';
import { type DataObject, RESOURCES } from '../../kube/objects.ts';
import { GATEWAY_CONFIG_MAP, MANAGED_BY, MANAGED_BY_LABEL } from '../names.ts';
import type { GatewayFacts } from './desired.ts';

/** Field names of the ConfigMap that `clustertunnel manifest` reads. */
const URL_KEY = 'url';
const CA_KEY = 'ca.crt';
const IMAGE_KEY = 'agent-image';

/** Tells users' tools where the gateway is. Nothing in it is secret. */
export async function publishGateway(
  client: KubeClient,
  namespace: string,
  { url, caPem, agentImage }: GatewayFacts,
  signal: AbortSignal,
): Promise<void> {
  const config: DataObject = {
    apiVersion: RESOURCES.configMap.apiVersion,
    kind: RESOURCES.configMap.kind,
    metadata: { name: GATEWAY_CONFIG_MAP, namespace, labels: { [MANAGED_BY_LABEL]: MANAGED_BY } },
    data: { [URL_KEY]: url, [CA_KEY]: caPem, [IMAGE_KEY]: agentImage },
  };
  await applyObject(client, config, signal);
}

/** What publishGateway wrote; undefined while it is not there or not whole. */
export async function readGateway(
  client: KubeClient,
  namespace: string,
  signal: AbortSignal,
): Promise<GatewayFacts | undefined> {
  const address = { namespace, name: GATEWAY_CONFIG_MAP };
  const { data = {} } = (await client.find<DataObject>(RESOURCES.configMap, address, signal)) ?? {};
  const { [URL_KEY]: url, [CA_KEY]: caPem, [IMAGE_KEY]: agentImage } = data;
  return url === undefined || caPem === undefined || agentImage === undefined ? undefined : { url, caPem, agentImage };
}
