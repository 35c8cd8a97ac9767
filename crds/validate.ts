import { Ajv, type ErrorObject } from 'ajv';
import { QUANTITY_KEYWORD, type QuantityRange } from './fields.ts';
import { parseBytes, parseDurationMs } from './quantities.ts';
import { specSchema } from './schema.ts';
import type { Spec } from './types.ts';

/** Either the spec with defaults, or why it cannot be used: one sentence a fault, each with its field path. */
export type Validated = { readonly spec: Spec } | { readonly errors: readonly string[] };

const ajv = new Ajv({
  strict: true,
  useDefaults: true,
  allErrors: true,
  verbose: true,
  allowUnionTypes: true,
  keywords: ['x-kubernetes-validations', 'x-kubernetes-int-or-string'],
});
ajv.addKeyword({
  keyword: QUANTITY_KEYWORD,
  validate: (range: QuantityRange, value: unknown) => isWithin(range, value),
});
const isSpec = ajv.compile<Spec>(specSchema);

/** Checks what slipped past the API server (an older CRD, a CRD without CEL) and fills in defaults. */
export function validateSpec(input: unknown): Validated {
  const spec: unknown = structuredClone(input ?? {});
  if (!isSpec(spec)) return { errors: [...new Set((isSpec.errors ?? []).map(sentence))] };
  const errors = crossFieldErrors(spec);
  return errors.length === 0 ? { spec } : { errors };
}

/** The value of a checked field in its base unit. */
export function measured(kind: QuantityRange['kind'], value: string | number): number {
  const number = kind === 'bytes' ? parseBytes(value) : parseDurationMs(String(value));
  if (number === undefined) throw new RangeError(`"${value}" passed validation but is no ${kind}`);
  return number;
}

function isWithin(range: QuantityRange, value: unknown): boolean {
  if (typeof value !== 'string' && typeof value !== 'number') return false;
  const number = range.kind === 'bytes' ? parseBytes(value) : parseDurationMs(String(value));
  if (number === undefined) return false;
  return number >= measured(range.kind, range.min) && number <= measured(range.kind, range.max);
}

function crossFieldErrors({ limits, reconnect }: Spec): string[] {
  const errors: string[] = [];
  if (measured('bytes', limits.maxStreamBufferBytes) > measured('bytes', limits.maxBufferBytes)) {
    errors.push(`spec.limits.maxStreamBufferBytes: ${ruleMessage(specSchema.properties.limits)}`);
  }
  if (measured('duration', reconnect.minBackoff) > measured('duration', reconnect.maxBackoff)) {
    errors.push(`spec.reconnect.minBackoff: ${ruleMessage(specSchema.properties.reconnect)}`);
  }
  return errors;
}

function sentence(error: ErrorObject): string {
  const path = `spec${error.instancePath.replaceAll('/', '.')}`;
  const value = JSON.stringify(error.data);
  switch (error.keyword) {
    case 'additionalProperties':
      return `${path}.${error.params['additionalProperty']}: unknown field: remove it, or see \`kubectl explain ct.${path}\``;
    case QUANTITY_KEYWORD:
      return `${path}: ${value} ${ruleMessage(error.parentSchema)}`;
    case 'enum':
      return `${path}: ${value} must be one of ${(error.params['allowedValues'] as unknown[]).join(', ')}`;
    default:
      return `${path}: ${value} ${error.message ?? 'is not valid'}`;
  }
}

/** The same words that the API server uses for the same fault. */
function ruleMessage(schema: unknown): string {
  const rules = (schema as { 'x-kubernetes-validations'?: readonly { message: string }[] })['x-kubernetes-validations'];
  return rules?.[0]?.message ?? 'is not valid';
}
