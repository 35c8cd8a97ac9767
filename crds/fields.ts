/** What a quantity field may hold; checked by CEL at the API server and by ajv here, from the same numbers. */
export interface QuantityRange {
  readonly kind: 'bytes' | 'duration';
  readonly min: string;
  readonly max: string;
}

/** The ajv keyword that carries a QuantityRange; the CRD projection strips it. */
export const QUANTITY_KEYWORD = 'x-clustertunnel-quantity';

interface QuantityField<Default extends string> {
  readonly description: string;
  readonly default: Default;
  readonly min: string;
  readonly max: string;
}

/** A duration in one unit, such as 500ms, 10s or 2m. */
export function duration<const Default extends string>(field: QuantityField<Default>) {
  const message = `must be a duration from ${field.min} to ${field.max}: a whole number and a unit (ms, s, m or h) without a space, for example ${field.default}`;
  return {
    type: 'string',
    description: `${field.description} Default ${field.default}, from ${field.min} to ${field.max}.`,
    default: field.default,
    maxLength: 64,
    [QUANTITY_KEYWORD]: { kind: 'duration', min: field.min, max: field.max },
    'x-kubernetes-validations': [
      {
        rule: `self.matches('^[0-9]{1,12}(ms|s|m|h)$') && duration(self) >= duration('${field.min}') && duration(self) <= duration('${field.max}')`,
        message,
      },
    ],
  } as const;
}

/** A size in bytes, such as 4Mi; a bare number is bytes too. */
export function bytes<const Default extends string>(field: QuantityField<Default>) {
  const message = `must be a size from ${field.min} to ${field.max}: a whole number and a unit (Ki, Mi, Gi; k, M, G for powers of ten; none for bytes), for example ${field.default}`;
  return {
    anyOf: [{ type: 'integer' }, { type: 'string' }],
    description: `${field.description} Default ${field.default}, from ${field.min} to ${field.max}.`,
    default: field.default,
    'x-kubernetes-int-or-string': true,
    [QUANTITY_KEYWORD]: { kind: 'bytes', min: field.min, max: field.max },
    'x-kubernetes-validations': [
      {
        rule: `string(self).matches('^[0-9]{1,15}(Ki|Mi|Gi|k|M|G)?$') && quantity(string(self)).compareTo(quantity('${field.min}')) >= 0 && quantity(string(self)).compareTo(quantity('${field.max}')) <= 0`,
        message,
      },
    ],
  } as const;
}
