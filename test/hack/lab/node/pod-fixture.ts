import type { ConfigMap, Secret } from '../../../../hack/lab/api/objects.ts';
import type {
  Container,
  ContainerState,
  ContainerStatus,
  Pod,
  PodSpec,
  PodStatus,
} from '../../../../hack/lab/api/pod.ts';
import type { ConfigSources } from '../../../../hack/lab/node/config-sources.ts';
import type { PodFacts } from '../../../../hack/lab/node/downward.ts';

/** A pod `web` in namespace `shop`. */
export function pod(spec: Partial<PodSpec> = {}, status?: PodStatus): Pod {
  const metadata = {
    name: 'web',
    namespace: 'shop',
    uid: 'uid-1',
    resourceVersion: '1',
    labels: { app: 'web', tier: 'front' },
    annotations: { note: 'a "quoted" word' },
  };
  return {
    metadata,
    spec: { containers: [{ name: 'main' }], serviceAccountName: 'clerk', ...spec },
    ...(status && { status }),
  };
}

export function facts(spec: Partial<PodSpec> = {}): PodFacts {
  return { pod: pod(spec), podIP: '127.9.0.2', hostIP: '127.0.0.1', nodeName: 'hub-node' };
}

/** A namespace with the given Secrets and ConfigMaps, each from plain text. */
export function sources(
  secrets: Record<string, Record<string, string>> = {},
  configMaps: Record<string, Record<string, string>> = {},
): ConfigSources {
  const metadata = { name: '', uid: '', resourceVersion: '' };
  const base64 = (data: Record<string, string>): Record<string, string> =>
    Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]));
  return {
    namespace: 'shop',
    secret: (name): Secret | undefined => secrets[name] && { metadata, data: base64(secrets[name]) },
    configMap: (name): ConfigMap | undefined => configMaps[name] && { metadata, data: configMaps[name] },
  };
}

export function container(rest: Partial<Container> = {}): Container {
  return { name: 'main', image: 'clustertunnel:dev', ...rest };
}

export function status(name: string, state: ContainerState, rest: Partial<ContainerStatus> = {}): ContainerStatus {
  return { name, image: '', imageID: '', ready: false, started: false, restartCount: 0, state, lastState: {}, ...rest };
}

export const running: ContainerState = { running: { startedAt: '2026-01-01T00:00:00Z' } };
export const waiting: ContainerState = { waiting: { reason: 'ContainerCreating' } };
export function ended(exitCode: number): ContainerState {
  const at = '2026-01-01T00:00:00Z';
  return { terminated: { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error', startedAt: at, finishedAt: at } };
}
