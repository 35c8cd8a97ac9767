import {
  BYTES_PATTERN,
  DURATION_PATTERN,
  parseBytes,
  parseDurationMs,
  parseResource,
  RESOURCE_PATTERN,
} from './quantities.ts';
import { celText, type Rule } from './rules.ts';

/** A quantity as it is written: 4Mi, 10s, 500m, or a bare number. */
export type Quantity = string | number;

/** How CEL speaks of what Kubernetes calls a quantity; the value may be a number. */
const celQuantity = {
  text: (self: string) => `string(${self})`,
  value: (text: string) => `quantity(${text})`,
  isAtMost: (a: string, b: string) => `${a}.compareTo(${b}) <= 0`,
} as const;

/** How each kind of quantity is read here, and said in CEL. */
const KINDS = {
  bytes: {
    ...celQuantity,
    parse: parseBytes as (value: Quantity) => number | bigint | undefined,
    pattern: BYTES_PATTERN,
  },
  resource: { ...celQuantity, parse: parseResource, pattern: RESOURCE_PATTERN },
  duration: {
    parse: (value: Quantity) => parseDurationMs(String(value)),
    pattern: DURATION_PATTERN,
    text: (self: string) => self,
    value: (text: string) => `duration(${text})`,
    isAtMost: (a: string, b: string) => `${a} <= ${b}`,
  },
} as const;
type Kind = keyof typeof KINDS;

const celIs = (kind: Kind, self: string) => `${KINDS[kind].text(self)}.matches(${celText(KINDS[kind].pattern)})`;
const celValue = (kind: Kind, self: string) => KINDS[kind].value(KINDS[kind].text(self));

/** The API server also asks the rules about the default `{}`, before the defaults within it are filled in. */
const unlessBoth = (a: string, b: string) => `!has(self.${a}) || !has(self.${b})`;

/** What a quantity may be. */
export interface QuantityRange {
  readonly kind: 'bytes' | 'duration';
  readonly min: string;
  readonly max: string;
}

/** A quantity within a range. */
export interface RangeRule extends Rule {
  readonly range: QuantityRange;
}

/** A quantity within a range, both bounds included. */
export function withinRange(range: QuantityRange, message: string): RangeRule {
  const { parse, value, isAtMost } = KINDS[range.kind];
  const [self, min, max] = [celValue(range.kind, 'self'), value(`'${range.min}'`), value(`'${range.max}'`)];
  return {
    cel: `${celIs(range.kind, 'self')} && ${isAtMost(min, self)} && ${isAtMost(self, max)}`,
    holds: (quantity: Quantity) => {
      const [given, least, most] = [quantity, range.min, range.max].map(parse);
      return given !== undefined && least !== undefined && most !== undefined && least <= given && given <= most;
    },
    message,
    range,
  };
}

/**
 * One field must not exceed another of the same object. One that is no quantity, and a `larger` below its own
 * minimum `least`, get their own sentence and not this one as well.
 */
export function atMost<const Smaller extends string, const Larger extends string>(fields: {
  readonly kind: 'bytes' | 'duration';
  readonly smaller: Smaller;
  readonly larger: Larger;
  readonly least: string;
  readonly message: string;
}): Rule<Readonly<Record<Smaller | Larger, Quantity>>> {
  const { kind, smaller, larger, least, message } = fields;
  const { parse, value, isAtMost } = KINDS[kind];
  const [a, b] = [`self.${smaller}`, `self.${larger}`];
  return {
    cel: `${unlessBoth(smaller, larger)} || !${celIs(kind, a)} || !${celIs(kind, b)} || !(${isAtMost(value(`'${least}'`), celValue(kind, b))}) || ${isAtMost(celValue(kind, a), celValue(kind, b))}`,
    holds: (self) => {
      const [given, bound, lowest] = [self[smaller], self[larger], least].map(parse);
      if (given === undefined || bound === undefined || lowest === undefined || bound < lowest) return true;
      return given <= bound;
    },
    message,
    fieldPath: `.${smaller}`,
  };
}

/** An amount of a compute resource. */
export const isResource: Rule<Quantity> = {
  cel: celIs('resource', 'self'),
  holds: (value) => parseResource(value) !== undefined,
  message:
    'must be a quantity: a number >= 0 and at most one unit (m for thousandths; k, M, G, T; Ki, Mi, Gi, Ti), for example 500m or 256Mi',
};

type Amounts = Readonly<Record<string, Quantity>>;

/** What the API server would refuse the pods for. Names that stand on one side only are not compared. */
export const requestsWithinLimits: Rule<{ readonly requests: Amounts; readonly limits: Amounts }> = {
  cel: `${unlessBoth('requests', 'limits')} || self.requests.all(name, !(name in self.limits) || !${celIs('resource', 'self.requests[name]')} || !${celIs('resource', 'self.limits[name]')} || ${KINDS.resource.isAtMost(celValue('resource', 'self.requests[name]'), celValue('resource', 'self.limits[name]'))})`,
  holds: ({ requests, limits }) =>
    Object.entries(requests).every(([name, requested]) => {
      const amount = parseResource(requested);
      const limit = Object.hasOwn(limits, name) ? parseResource(limits[name] ?? '') : undefined;
      return amount === undefined || limit === undefined || amount <= limit;
    }),
  message: 'must not exceed resources.limits: lower them, or raise resources.limits (memory is 256Mi unless you say)',
  fieldPath: '.requests',
};
