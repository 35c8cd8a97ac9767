import type { Container, KeyToPath, Pod, Volume, VolumeProjection } from '../api/pod.ts';
import { ConfigError } from './config-error.ts';
import { type ConfigSources, configMapEntries, secretEntries } from './config-sources.ts';
import { fieldValue, type PodFacts, resourceValue } from './downward.ts';

export interface VolumeFile {
  readonly bytes: Buffer;
  readonly mode: number;
}

/** The files of one volume, by their path below the mount point. */
export type VolumeFiles = ReadonlyMap<string, VolumeFile>;

/** Hands out the current token for one projection of one pod. */
export type TokenOf = (projection: { audience?: string | undefined; expirationSeconds?: number | undefined }) => string;

const DEFAULT_MODE = 0o644;

/** Whether the volume's files follow objects that change; an emptyDir is the container's own. */
export function isProjected(volume: Volume): boolean {
  return Boolean(volume.secret || volume.configMap || volume.downwardAPI || volume.projected);
}

/** What the volume must contain now. @throws ConfigError if something it names is missing */
export function volumeFiles(volume: Volume, facts: PodFacts, sources: ConfigSources, tokenOf: TokenOf): VolumeFiles {
  const { secret, configMap, downwardAPI, projected } = volume;
  if (secret) {
    const { secretName, optional, items, defaultMode } = secret;
    return entriesAsFiles(secretEntries(sources, { name: secretName, optional }), { items, defaultMode, optional });
  }
  if (configMap) return entriesAsFiles(configMapEntries(sources, configMap), configMap);
  if (downwardAPI) return downwardFiles(downwardAPI, facts, downwardAPI.defaultMode);
  const files = new Map<string, VolumeFile>();
  for (const source of projected?.sources ?? []) {
    for (const [path, file] of sourceFiles(source, projected?.defaultMode, facts, sources, tokenOf))
      files.set(path, file);
  }
  return files;
}

function sourceFiles(
  { secret, configMap, downwardAPI, serviceAccountToken }: VolumeProjection,
  defaultMode: number | undefined,
  facts: PodFacts,
  sources: ConfigSources,
  tokenOf: TokenOf,
): VolumeFiles {
  if (secret) return entriesAsFiles(secretEntries(sources, secret), { ...secret, defaultMode });
  if (configMap) return entriesAsFiles(configMapEntries(sources, configMap), { ...configMap, defaultMode });
  if (downwardAPI) return downwardFiles(downwardAPI, facts, defaultMode);
  if (!serviceAccountToken) return new Map();
  const bytes = Buffer.from(tokenOf(serviceAccountToken));
  return new Map([[serviceAccountToken.path, { bytes, mode: 0o600 }]]);
}

interface Selection {
  readonly items?: readonly KeyToPath[] | undefined;
  readonly defaultMode?: number | undefined;
  readonly optional?: boolean | undefined;
}

/** All keys as files of the same name, or the listed ones under their own paths. */
function entriesAsFiles(entries: Map<string, Buffer> | undefined, selection: Selection): VolumeFiles {
  const { items, defaultMode = DEFAULT_MODE, optional } = selection;
  const files = new Map<string, VolumeFile>();
  if (entries === undefined) return files;
  if (items === undefined) {
    for (const [key, bytes] of entries) files.set(key, { bytes, mode: defaultMode });
    return files;
  }
  for (const { key, path, mode = defaultMode } of items) {
    const bytes = entries.get(key);
    if (bytes !== undefined) files.set(path, { bytes, mode });
    else if (!optional) throw new ConfigError(`references non-existent config key: ${key}`);
  }
  return files;
}

function downwardFiles(
  { items = [] }: NonNullable<Volume['downwardAPI']>,
  facts: PodFacts,
  defaultMode = DEFAULT_MODE,
): VolumeFiles {
  const files = new Map<string, VolumeFile>();
  for (const { path, mode = defaultMode, fieldRef, resourceFieldRef } of items) {
    const value = fieldRef
      ? fieldValue(facts, fieldRef.fieldPath)
      : resourceFieldRef && resourceValue(containerNamed(facts.pod, resourceFieldRef.containerName), resourceFieldRef);
    files.set(path, { bytes: Buffer.from(value ?? ''), mode });
  }
  return files;
}

function containerNamed({ spec }: Pod, name: string | undefined): Container {
  const container = spec.containers.find((candidate) => candidate.name === name);
  if (container === undefined) throw new ConfigError(`container ${name} not found`);
  return container;
}
