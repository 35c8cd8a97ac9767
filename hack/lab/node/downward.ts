import { availableParallelism, totalmem } from 'node:os';
import type { Container, Pod, ResourceFieldRef } from '../api/pod.ts';
import { ConfigError } from './config-error.ts';
import { quantity } from './quantity.ts';

/** What a pod can learn about itself beyond its own object. */
export interface PodFacts {
  readonly pod: Pod;
  readonly podIP: string;
  readonly hostIP: string;
  readonly nodeName: string;
}

/** The downward API's value at `fieldPath`. @throws ConfigError */
export function fieldValue({ pod, podIP, hostIP, nodeName }: PodFacts, fieldPath: string): string {
  const { metadata, spec } = pod;
  const entry = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(fieldPath);
  if (entry !== null) return metadata[entry[1] as 'labels' | 'annotations']?.[entry[2] ?? ''] ?? '';
  const values: Readonly<Record<string, string>> = {
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace ?? '',
    'metadata.uid': metadata.uid,
    'metadata.labels': lines(metadata.labels),
    'metadata.annotations': lines(metadata.annotations),
    'spec.nodeName': nodeName,
    'spec.serviceAccountName': spec.serviceAccountName ?? 'default',
    'status.podIP': podIP,
    'status.podIPs': podIP,
    'status.hostIP': hostIP,
    'status.hostIPs': hostIP,
  };
  const value = values[fieldPath];
  if (value === undefined) throw new ConfigError(`unsupported fieldPath: ${fieldPath}`);
  return value;
}

/** A container's limit or request in units of the divisor, rounded up. Without a limit: what the node has. @throws ConfigError */
export function resourceValue(container: Container, { resource, divisor }: ResourceFieldRef): string {
  const [kind, name] = resource.split('.') as [string, string | undefined];
  if ((kind !== 'limits' && kind !== 'requests') || name === undefined) {
    throw new ConfigError(`unsupported container resource: ${resource}`);
  }
  const { limits, requests } = container.resources ?? {};
  const written = kind === 'limits' ? limits?.[name] : (requests?.[name] ?? limits?.[name]);
  const value = written === undefined ? nodeHas(name) : quantity(written);
  const unit = divisor === undefined || divisor === '0' ? 1 : quantity(divisor);
  // A thousandth of a thousandth is noise of the division, not a reason to round up.
  return String(Math.ceil(Number((value / unit).toFixed(6))));
}

function nodeHas(resource: string): number {
  if (resource === 'cpu') return availableParallelism();
  return resource === 'memory' ? totalmem() : 0;
}

/** As a file of a downward volume shows a map: one `key="value"` a line, sorted. */
function lines(map: Readonly<Record<string, string>> = {}): string {
  return Object.entries(map)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n');
}
