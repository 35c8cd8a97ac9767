import type { ConfigMap, Secret } from '../api/objects.ts';
import { ConfigError } from './config-error.ts';

/** The Secrets and ConfigMaps of one namespace as they are now. */
export interface ConfigSources {
  readonly namespace: string;
  secret(name: string): Secret | undefined;
  configMap(name: string): ConfigMap | undefined;
}

/** The bytes of every key; undefined if the object is not there and need not be. @throws ConfigError */
export function secretEntries(
  sources: ConfigSources,
  { name, optional }: { name: string; optional?: boolean | undefined },
): Map<string, Buffer> | undefined {
  const secret = sources.secret(name);
  if (secret !== undefined) return decoded(secret.data);
  if (optional) return undefined;
  throw new ConfigError(`secret "${name}" not found`);
}

/** Likewise for a ConfigMap, text and binary keys together. @throws ConfigError */
export function configMapEntries(
  sources: ConfigSources,
  { name, optional }: { name: string; optional?: boolean | undefined },
): Map<string, Buffer> | undefined {
  const configMap = sources.configMap(name);
  if (configMap === undefined) {
    if (optional) return undefined;
    throw new ConfigError(`configmap "${name}" not found`);
  }
  const entries = decoded(configMap.binaryData);
  for (const [key, value] of Object.entries(configMap.data ?? {})) entries.set(key, Buffer.from(value));
  return entries;
}

function decoded(data: Readonly<Record<string, string>> = {}): Map<string, Buffer> {
  return new Map(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64')]));
}
