import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { REPOSITORY } from '../lab/paths.ts';

interface Deployment {
  readonly kind: string;
  readonly spec: {
    readonly template: { readonly spec: { readonly containers: readonly { readonly env?: readonly Variable[] }[] } };
  };
}

interface Variable {
  readonly name: string;
  readonly value?: string;
}

/** NODE_OPTIONS of the operator as config/manager deploys it: a gateway that is measured runs with the same. @throws Error without it */
export function deployedNodeOptions(): string {
  const text = readFileSync(join(REPOSITORY, 'config/manager/manager.yaml'), 'utf8');
  const objects = parseAllDocuments(text).map((document) => document.toJS() as Deployment);
  const containers = objects.find(({ kind }) => kind === 'Deployment')?.spec.template.spec.containers ?? [];
  const variables = containers.flatMap(({ env = [] }) => env);
  const value = variables.find(({ name }) => name === 'NODE_OPTIONS')?.value;
  if (value === undefined) throw new Error('config/manager/manager.yaml: no NODE_OPTIONS');
  return value;
}
