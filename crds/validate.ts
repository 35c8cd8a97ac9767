import { Ajv, type ErrorObject } from 'ajv';
import { parseBytes, parseDurationMs } from './quantities.ts';
import { brokenRules, dropNulls, type Fault, locate, type SchemaNode } from './rule-check.ts';
import { RULES_KEYWORD } from './rules.ts';
import { specSchema } from './schema.ts';
import type { Spec } from './types.ts';

/** Either the spec with defaults, or why it cannot be used: one sentence a fault, each with its field path. */
export type Validated = { readonly spec: Spec } | { readonly errors: readonly string[] };

const ajv = new Ajv({
  strict: true,
  // The API server wants maxLength of an int-or-string beside its types, not within.
  strictTypes: false,
  useDefaults: true,
  allErrors: true,
  verbose: true,
  keywords: [RULES_KEYWORD, 'x-kubernetes-validations', 'x-kubernetes-int-or-string'],
});
const isSpec = ajv.compile<Spec>(specSchema);

/**
 * Checks what slipped past the API server (an older CRD, a CRD without CEL) and fills in defaults: the same verdict, the
 * same fields to blame and the same defaults as the API server's own.
 */
export function validateSpec(input: unknown): Validated {
  const spec: unknown = structuredClone(input ?? {});
  dropNulls(specSchema, spec);
  const shape = isSpec(spec) ? [] : (isSpec.errors ?? []);
  const misshapen = shape.filter(({ keyword }) => HIDES_RULES.has(keyword)).map((error) => faultOf(error).path);
  const isBroken = (path: string) =>
    misshapen.some((each) => each === path || each.startsWith(`${path}.`) || each.startsWith(`${path}[`));
  const faults = [...shape.map(faultOf), ...brokenRules(specSchema, spec, 'spec', isBroken)];
  return faults.length === 0 ? { spec: spec as Spec } : { errors: sentences(faults) };
}

/** The value of a checked field in its base unit: bytes or milliseconds. */
export function measured(kind: 'bytes' | 'duration', value: string | number): number {
  const number = kind === 'bytes' ? parseBytes(value) : parseDurationMs(String(value));
  if (number === undefined) throw new RangeError(`"${value}" passed validation but is no ${kind}`);
  return number;
}

/** After one of these the API server asks no rule; we still ask those that the fault does not touch. */
const HIDES_RULES: ReadonlySet<string> = new Set(['type', 'anyOf', 'enum', 'required', 'maxLength', 'maxProperties']);

function faultOf({ keyword, instancePath, params, data, message }: ErrorObject): Fault {
  const { path, schema } = locate(specSchema, instancePath, 'spec');
  const explain = `see \`kubectl explain ct.${path}\``;
  switch (keyword) {
    case 'additionalProperties':
      return { path: `${path}.${params['additionalProperty']}`, message: `unknown field: remove it, or ${explain}` };
    case 'required':
      return { path: `${path}.${params['missingProperty']}`, message: `is required: set it, or ${explain}` };
    case 'enum':
      return { path, value: data, message: `must be one of ${(params['allowedValues'] as unknown[]).join(', ')}` };
    default:
      return { path, value: data, message: ownRule(schema)?.message ?? message ?? 'is not valid' };
  }
}

/** What the value must be, in full: better than the one thing that is wrong with it. */
function ownRule(schema: SchemaNode) {
  return schema[RULES_KEYWORD]?.find(({ fieldPath }) => fieldPath === undefined);
}

/** One for each field: a wrong type breaks several keywords at once. */
function sentences(faults: readonly Fault[]): string[] {
  const byPath = new Map<string, string>();
  for (const { path, value, message } of faults) {
    if (!byPath.has(path)) byPath.set(path, `${path}: ${value === undefined ? '' : `${shown(value)} `}${message}`);
  }
  return [...byPath.values()];
}

/** Longest value in a sentence, in characters: what slipped past may have any length. */
const MAX_SHOWN = 100;

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}…`;
}
