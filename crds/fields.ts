import { isResource, withinRange } from './quantity-rules.ts';
import { RULES_KEYWORD } from './rules.ts';

/** The API server charges a rule by the longest text that it may see. */
const MAX_TEXT = 32;

const integerOrText = {
  anyOf: [{ type: 'integer' }, { type: 'string' }],
  maxLength: MAX_TEXT,
  'x-kubernetes-int-or-string': true,
} as const;

interface QuantityField<Default extends string> {
  readonly description: string;
  readonly default: Default;
  readonly min: string;
  readonly max: string;
}

/** A duration in one unit, such as 500ms, 10s or 2m. */
export function duration<const Default extends string>(field: QuantityField<Default>) {
  const { min, max } = field;
  const message = `must be a duration from ${min} to ${max}: a whole number and a unit (ms, s, m or h) without a space, for example ${field.default}`;
  return {
    type: 'string',
    description: `${field.description} Default ${field.default}, from ${min} to ${max}.`,
    default: field.default,
    maxLength: MAX_TEXT,
    [RULES_KEYWORD]: [withinRange({ kind: 'duration', min, max }, message)],
  } as const;
}

/** A size in bytes, such as 4Mi; a bare number is bytes too. */
export function bytes<const Default extends string>(field: QuantityField<Default>) {
  const { min, max } = field;
  const message = `must be a size from ${min} to ${max}: a whole number and a unit (Ki, Mi, Gi; k, M, G for powers of ten; none for bytes), for example ${field.default}`;
  return {
    ...integerOrText,
    description: `${field.description} Default ${field.default}, from ${min} to ${max}.`,
    default: field.default,
    [RULES_KEYWORD]: [withinRange({ kind: 'bytes', min, max }, message)],
  } as const;
}

/** Amounts of compute resources by name, as in a pod: cpu: 500m. */
export const resourceAmounts = {
  type: 'object',
  maxProperties: 8,
  additionalProperties: { ...integerOrText, [RULES_KEYWORD]: [isResource] },
} as const;
