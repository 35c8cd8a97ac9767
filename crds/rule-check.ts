import { RULES_KEYWORD, type Rule } from './rules.ts';

/** A node of the schema, as far as fields and rules go. */
export interface SchemaNode {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  /** The schema of every value of a map. */
  readonly additionalProperties?: SchemaNode | false;
  /** The schema of every item of a list. */
  readonly items?: SchemaNode;
  readonly [RULES_KEYWORD]?: readonly Rule[];
}

/** One thing that is wrong at one field. */
export interface Fault {
  /** As the API server writes it: spec.agent.resources.requests[cpu]. */
  readonly path: string;
  /** What the field holds; undefined when another field is as much to blame. */
  readonly value?: unknown;
  readonly message: string;
}

interface Child {
  readonly key: string;
  readonly path: string;
  readonly schema: SchemaNode;
  readonly value: unknown;
}

/** Rules that the value breaks. A rule is not asked where `isBroken` says that a type at or below its value is wrong. */
export function brokenRules(
  schema: SchemaNode,
  value: unknown,
  path: string,
  isBroken: (path: string) => boolean,
): Fault[] {
  const below = children(schema, value, path).flatMap((child) =>
    brokenRules(child.schema, child.value, child.path, isBroken),
  );
  if (isBroken(path)) return below;
  // The types were checked just before: the value is what the rule expects.
  const broken = (schema[RULES_KEYWORD] ?? []).filter(({ holds }) => !holds(value as never));
  const own = broken.map(({ message, fieldPath }) =>
    fieldPath === undefined ? { path, value, message } : { path: `${path}${fieldPath}`, message },
  );
  return [...below, ...own];
}

/** The value without nulls, as the API server takes it: a null is a field that was not written. Changes the value. */
export function dropNulls(schema: SchemaNode, value: unknown): void {
  for (const child of children(schema, value, '')) {
    if (child.value === null && !Array.isArray(value)) delete (value as Record<string, unknown>)[child.key];
    else dropNulls(child.schema, child.value);
  }
}

/** The node and the path for a JSON pointer of ajv. */
export function locate(schema: SchemaNode, pointer: string, root: string): { path: string; schema: SchemaNode } {
  let found = { path: root, schema };
  for (const key of pointer.split('/').slice(1).map(unescaped)) found = step(found.schema, key, found.path) ?? found;
  return found;
}

function children(schema: SchemaNode, value: unknown, path: string): Child[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, entry]) => {
    const child = step(schema, key, path);
    return child === undefined ? [] : [{ ...child, key, value: entry }];
  });
}

/** One field, map entry or item down; undefined where the schema knows none. */
function step({ properties = {}, additionalProperties, items }: SchemaNode, key: string, path: string) {
  if (items !== undefined) return { path: `${path}[${key}]`, schema: items };
  const field = Object.hasOwn(properties, key) ? properties[key] : undefined;
  if (field !== undefined) return { path: `${path}.${key}`, schema: field };
  return additionalProperties ? { path: `${path}[${key}]`, schema: additionalProperties } : undefined;
}

function unescaped(key: string): string {
  return key.replaceAll('~1', '/').replaceAll('~0', '~');
}
