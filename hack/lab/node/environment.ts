import type { Container, EnvironmentVariable, KeyReference } from '../api/pod.ts';
import { ConfigError } from './config-error.ts';
import { type ConfigSources, configMapEntries, secretEntries } from './config-sources.ts';
import { fieldValue, type PodFacts, resourceValue } from './downward.ts';
import { expand } from './expansion.ts';

/**
 * The variables a container starts with, in the kubelet's order: what the node gives (`given`), then envFrom, then env,
 * where a later entry may use an earlier one. @throws ConfigError if a Secret, ConfigMap or key is missing
 */
export function environmentOf(
  container: Container,
  facts: PodFacts,
  sources: ConfigSources,
  given: Readonly<Record<string, string>>,
): Map<string, string> {
  const variables = new Map(Object.entries(given));
  for (const { prefix = '', secretRef, configMapRef } of container.envFrom ?? []) {
    const entries = secretRef
      ? secretEntries(sources, secretRef)
      : configMapRef && configMapEntries(sources, configMapRef);
    for (const [key, value] of entries ?? []) variables.set(`${prefix}${key}`, value.toString('utf8'));
  }
  for (const variable of container.env ?? []) {
    const value = variableValue(variable, container, facts, sources);
    if (value !== undefined) variables.set(variable.name, variable.valueFrom ? value : expand(value, variables));
  }
  return variables;
}

/** Undefined: an optional reference leads nowhere, the variable is left out. */
function variableValue(
  { value, valueFrom }: EnvironmentVariable,
  container: Container,
  facts: PodFacts,
  sources: ConfigSources,
): string | undefined {
  if (valueFrom === undefined) return value ?? '';
  const { fieldRef, resourceFieldRef, secretKeyRef, configMapKeyRef } = valueFrom;
  if (fieldRef) return fieldValue(facts, fieldRef.fieldPath);
  if (resourceFieldRef)
    return resourceValue(namedContainer(resourceFieldRef.containerName, container, facts), resourceFieldRef);
  if (secretKeyRef) return entryOf(secretEntries(sources, secretKeyRef), secretKeyRef, 'Secret', sources);
  if (configMapKeyRef)
    return entryOf(configMapEntries(sources, configMapKeyRef), configMapKeyRef, 'ConfigMap', sources);
  return '';
}

function entryOf(
  entries: Map<string, Buffer> | undefined,
  { name, key, optional }: KeyReference,
  kind: string,
  { namespace }: ConfigSources,
): string | undefined {
  const value = entries?.get(key);
  if (value === undefined && !optional)
    throw new ConfigError(`couldn't find key ${key} in ${kind} ${namespace}/${name}`);
  return value?.toString('utf8');
}

function namedContainer(name: string | undefined, container: Container, { pod }: PodFacts): Container {
  return pod.spec.containers.find((candidate) => candidate.name === name) ?? container;
}
