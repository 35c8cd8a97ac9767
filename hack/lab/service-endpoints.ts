import type { Service } from './api/objects.ts';
import type { Pod } from './api/pod.ts';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/**
 * The pods of a Service that take connections now, oldest first.
 *
 * What the EndpointSlice controller would publish, from the same facts: selector, Ready, not terminating. It cannot do
 * so here, because the API refuses loopback addresses in EndpointSlices ("may not be in the loopback range").
 */
export function readyEndpoints(
  service: Service | undefined,
  servicePort: string | number,
  pods: readonly Pod[],
): Endpoint[] {
  const { selector, ports = [] } = service?.spec ?? {};
  const port = ports.find(({ name, port: number }) => name === servicePort || number === Number(servicePort));
  if (selector === undefined || port === undefined) return [];
  return pods
    .filter((pod) => isSelected(pod, selector) && isReady(pod))
    .sort((a, b) => (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? ''))
    .flatMap((pod) => {
      const host = pod.status?.podIP;
      const number = portOf(pod, port.targetPort ?? port.port);
      return host === undefined || number === undefined ? [] : [{ host, port: number }];
    });
}

function isSelected({ metadata }: Pod, selector: Readonly<Record<string, string>>): boolean {
  return Object.entries(selector).every(([key, value]) => metadata.labels?.[key] === value);
}

function isReady({ metadata, status }: Pod): boolean {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return metadata.deletionTimestamp === undefined && ready?.status === 'True';
}

function portOf({ spec }: Pod, port: number | string): number | undefined {
  if (typeof port === 'number') return port;
  return spec.containers.flatMap(({ ports = [] }) => ports).find(({ name }) => name === port)?.containerPort;
}
