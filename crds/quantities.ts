/**
 * What counts as a quantity, for CEL and for us: each pattern means the same in RE2 and in JavaScript, and bounds its
 * digits so that no number overflows in CEL.
 */
export const BYTES_PATTERN = '^[0-9]{1,15}(Ki|Mi|Gi|k|M|G)?$';
export const DURATION_PATTERN = '^([0-9]{1,9}ms|[0-9]{1,6}(s|m|h))$';
/** What Kubernetes takes for a compute resource, but for negative numbers. Source: ParseQuantity of apimachinery. */
export const RESOURCE_PATTERN =
  '^[+]?([0-9]+([.][0-9]*)?|[.][0-9]+)(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][-+]?[0-9]{1,2})?$';

const BYTES = new RegExp(BYTES_PATTERN);
const BYTES_PER_UNIT: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
};

const DURATION = new RegExp(DURATION_PATTERN);
const MS_PER_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Bytes of a Kubernetes quantity: "4Mi" is 4194304, "1500" and 1500 are themselves; undefined if it is none. */
export function parseBytes(text: string | number): number | undefined {
  return parse(BYTES, BYTES_PER_UNIT, String(text));
}

/** Milliseconds of a duration in one unit: "500ms", "10s", "2m", "1h"; undefined if it is none. */
export function parseDurationMs(text: string): number | undefined {
  return parse(DURATION, MS_PER_UNIT, text);
}

function parse(shape: RegExp, units: Readonly<Record<string, number>>, text: string): number | undefined {
  if (!shape.test(text)) return undefined;
  const number = Number.parseInt(text, 10);
  return number * (units[text.replace(/^[0-9]+/, '')] ?? Number.NaN);
}

const RESOURCE = new RegExp(RESOURCE_PATTERN);
const RESOURCE_PARTS = /^[+]?([0-9]*)[.]?([0-9]*)(.*)$/;
const DECIMAL_EXPONENTS: Readonly<Record<string, number>> = {
  '': 0,
  n: -9,
  u: -6,
  m: -3,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const BINARY_UNITS = ['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
/** Kubernetes keeps nothing finer, and rounds up. */
const FINEST_EXPONENT = -9;
/** A larger number in JSON is no integer for the API server. */
const MAX_INTEGER = 2 ** 63 - 1024;
/** Kubernetes counts no further in binary units. */
const LARGEST_BINARY = (2n ** 63n - 1n) * 10n ** 9n;

/**
 * A compute resource in billionths: "500m" and "0.5" are 500 000 000n; undefined if it is none. Exact, as Kubernetes
 * compares: numbers would say that 9007199254740993 equals 9007199254740992.
 */
export function parseResource(value: string | number): bigint | undefined {
  if (typeof value === 'number' && (!Number.isInteger(value) || value > MAX_INTEGER)) return undefined;
  const text = String(value);
  if (!RESOURCE.test(text)) return undefined;
  const [, whole = '', fraction = '', unit = ''] = RESOURCE_PARTS.exec(text) ?? [];
  const digits = BigInt(`${whole}${fraction}`);
  const binary = BINARY_UNITS.indexOf(unit);
  if (binary < 0) return scaled(digits, exponentOf(unit) - fraction.length - FINEST_EXPONENT);
  const exact = scaled(digits * 1024n ** BigInt(binary + 1), -fraction.length - FINEST_EXPONENT);
  return exact > LARGEST_BINARY ? LARGEST_BINARY : exact;
}

function exponentOf(unit: string): number {
  return DECIMAL_EXPONENTS[unit] ?? Number(unit.slice(1));
}

/** digits × 10^exponent, rounded up. */
function scaled(digits: bigint, exponent: number): bigint {
  if (exponent >= 0) return digits * 10n ** BigInt(exponent);
  const divisor = 10n ** BigInt(-exponent);
  return (digits + divisor - 1n) / divisor;
}
