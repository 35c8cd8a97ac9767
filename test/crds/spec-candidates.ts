import fc from 'fast-check';
import { parseBytes, parseDurationMs, RESOURCE_PATTERN } from '../../crds/quantities.ts';
import { RULES_KEYWORD, type Rule } from '../../crds/rules.ts';
import { validateSpec } from '../../crds/validate.ts';

/**
 * Specs made from the schema itself: a new field is in the corpus as soon as it is in the schema, and a shape that is
 * not known here fails the tests.
 */

/** A node of the schema as the corpus needs it. */
interface Node {
  readonly type?: string;
  readonly anyOf?: unknown;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxProperties?: number;
  readonly maxItems?: number;
  readonly items?: Node;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: Node | false;
  readonly default?: unknown;
  readonly description?: string;
  readonly 'x-kubernetes-validations'?: readonly { readonly rule: string }[];
  readonly [RULES_KEYWORD]?: readonly Rule[];
}

/** Values for one node. Each list may err: verdicts decide. */
interface Examples {
  /** What should pass. */
  readonly good: readonly unknown[];
  /** Worth a try at every field: its bounds, wrong types. */
  readonly edges: readonly unknown[];
  /** Worth a try at one field of a kind. */
  readonly odd: readonly unknown[];
}

/** One field of the schema, with the smallest specs that have these values there. */
export interface Field {
  readonly path: string;
  readonly specs: readonly unknown[];
}

const WRONG_TYPES = [null, true, 1, 0.5, 'x', [], {}];
const MORE_WRONG_TYPES = [0, -1, 1e21, '', [1], { x: 1 }];
/** Names that no schema has; two that every JavaScript object has. */
const UNKNOWN_NAMES = ['maxBuffer', 'Agent', 'spec', 'constructor', '__proto__'];
const RESOURCES = ['cpu', 'memory', 'ephemeral-storage', 'nvidia.com/gpu', 'a', 'b', 'c', 'd'];
/** Amounts at the edges of what Kubernetes takes for a quantity. */
const GOOD_AMOUNTS = [
  ...['1', '0', '500m', '0.5', '.5', '1.', '+1', '1e3', '1E3', '1E', '2e-3', '1e+2', '100n', '1.5Gi', '8Ei', '0001'],
  ...['1024Mi', '1Gi', '1073741824', '1.1n', '2n', '9223372036854775807', '9223372036854775808', '7.9999999999Ei', 2],
];
const ODD_AMOUNTS = [
  ...['-1', '-0', '1e', 'e3', '.', '+', '', 'Mi', '1 Mi', '1mi', '1KI', '1K', '1e1.5', '1e100', '1..5', '1Mi\n', '１'],
  ...['lots', '9'.repeat(32), `0.${'0'.repeat(29)}1`, '9'.repeat(33), 0, 1, 2 ** 53, -1, 1.5, 2 ** 63],
];

/** What else a spec must say for a value to be allowed at all, by the path of its field. */
const COMPANY: Readonly<Record<string, (value: unknown) => object>> = {
  'spec.agent.placement': (value) => (value === 'Kubeconfig' ? { kubeconfigSecretRef: { name: 'x' } } : {}),
  'spec.agent.kubeconfigSecretRef': () => ({ placement: 'Kubeconfig' }),
  'spec.agent.noProxy': () => ({ proxyURL: 'http://proxy.example:3128' }),
};

/** Every field of the schema, objects and map entries too. The first of a kind gets all odd values. */
export function fieldsOf(schema: unknown): Field[] {
  const known = new Set<string>();
  return [...walk(schema as Node, 'spec', (value) => value)].map(({ path, node, specWith }) => {
    const { good, edges, odd } = examplesOf(node);
    const kind = kindOf(node);
    const values = known.has(kind) ? [...good.slice(0, 4), ...edges] : [...good, ...edges, ...odd];
    known.add(kind);
    return { path, specs: [...new Set(values)].map(specWith) };
  });
}

interface Place {
  readonly path: string;
  readonly node: Node;
  readonly specWith: (value: unknown) => unknown;
}

function* walk(node: Node, path: string, specWith: Place['specWith']): Generator<Place> {
  yield { path, node, specWith };
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    const company = (value: unknown) => ({ ...needed(node), ...COMPANY[`${path}.${name}`]?.(value) });
    yield* walk(child, `${path}.${name}`, (value) => specWith({ ...company(value), [name]: value }));
  }
  if (node.additionalProperties) {
    yield* walk(node.additionalProperties, `${path}[cpu]`, (value) => specWith({ cpu: value }));
  }
}

/** The required fields; all of them are texts so far. */
function needed({ required = [] }: Node): object {
  return Object.fromEntries(required.map((name) => [name, 'x']));
}

/** Nodes of one kind are checked by the same rules, but for their bounds. */
function kindOf(node: Node): string {
  const { type, anyOf, properties, minLength } = node;
  const rules = (node[RULES_KEYWORD] ?? []).map((rule) => ('range' in rule ? rangeOf(node)?.kind : rule.cel));
  return JSON.stringify([type ?? anyOf, properties === undefined, node.enum === undefined, minLength, rules]);
}

/** One value-holding field, with pairs of valid specs that differ in it and in nothing else. */
export interface Leaf {
  readonly path: string;
  readonly pairs: readonly (readonly [unknown, unknown])[];
}

/** Every field but those that only hold others; a map is one field. */
export function leavesOf(schema: unknown): Leaf[] {
  const places = [...walk(schema as Node, 'spec', (value) => value)];
  const leaves = places.filter(({ path, node }) => node.properties === undefined && !path.endsWith(']'));
  return leaves.map(({ path, node, specWith }) => {
    const valid = examplesOf(node)
      .good.map(specWith)
      .filter((spec) => 'spec' in validateSpec(spec));
    const [first, ...others] = valid;
    if (others.length === 0) throw new RangeError(`${path} has not two valid values here`);
    return { path, pairs: others.map((other) => [first, other] as const) };
  });
}

/** Amounts of a compute resource that pass by themselves. */
export const anyAmount: fc.Arbitrary<string | number> = fc.oneof(
  fc.constantFrom(...GOOD_AMOUNTS),
  fc.stringMatching(new RegExp(RESOURCE_PATTERN)).filter(({ length }) => length <= 32),
);

/** A field that may never change, with specs that say two values for it, and one that says none that is allowed. */
export interface ImmutableField {
  readonly path: string;
  readonly description: string;
  readonly first: unknown;
  readonly second: unknown;
  readonly invalid: unknown;
}

/** Every field with a rule about its old value. */
export function immutableFieldsOf(schema: unknown): ImmutableField[] {
  const all = [...walk(schema as Node, 'spec', (value) => value)];
  const bound = all.filter(({ node }) => (node['x-kubernetes-validations'] ?? []).some(isTransition));
  return bound.map(({ path, node, specWith }) => {
    const [first, second] = examplesOf(node).good.filter((value) => value !== node.default);
    const { description = '' } = node;
    return { path, description, first: specWith(first), second: specWith(second), invalid: specWith('No Such-') };
  });
}

const isTransition = ({ rule }: { readonly rule: string }) => rule.includes('oldSelf');

/** Whole specs; somewhat more than half of their parts are meant to pass. */
export function anySpec(schema: unknown): fc.Arbitrary<unknown> {
  return arbitraryOf(schema as Node);
}

function arbitraryOf(node: Node): fc.Arbitrary<unknown> {
  const { good, edges, odd } = examplesOf(node);
  const fine = node.properties
    ? record(node, node.properties)
    : node.additionalProperties
      ? fc.dictionary(fc.constantFrom(...RESOURCES), arbitraryOf(node.additionalProperties), { maxKeys: 3 })
      : fc.constantFrom(...good);
  return fc.oneof({ weight: 30, arbitrary: fine }, { weight: 1, arbitrary: fc.constantFrom(...edges, ...odd) });
}

/** Fields without a default stand for a choice that goes with another field: they are rarer. */
function record({ required = [] }: Node, properties: Readonly<Record<string, Node>>): fc.Arbitrary<unknown> {
  const entries = Object.entries(properties).map(([name, child]) => {
    const isPresent = required.includes(name) ? 1 : child.default === undefined ? 0.15 : 0.4;
    const present = arbitraryOf(child).map((value) => ({ [name]: value }));
    const weight = Math.round(isPresent * 100);
    return fc.oneof({ weight: 100 - weight, arbitrary: fc.constant({}) }, { weight, arbitrary: present });
  });
  return fc.tuple(...entries).map((parts) => Object.assign({}, ...parts));
}

function examplesOf(node: Node): Examples {
  if (node.enum !== undefined) return words(node.enum);
  switch (node.type ?? (node.anyOf === undefined ? undefined : 'int-or-string')) {
    case 'boolean':
      return { good: [true, false], edges: WRONG_TYPES, odd: [...MORE_WRONG_TYPES, 'true', 'false'] };
    case 'integer':
      return integers(node);
    case 'string':
      return texts(node);
    case 'int-or-string':
      return rangeOf(node) === undefined ? amounts : texts(node);
    case 'object':
      return objects(node);
    case 'array':
      return lists(node);
    default:
      throw new RangeError(`the corpus knows no such schema: ${JSON.stringify(node).slice(0, 200)}`);
  }
}

const amounts: Examples = { good: GOOD_AMOUNTS, edges: [...WRONG_TYPES, 'lots', '-1', -1], odd: ODD_AMOUNTS };

function words(allowed: readonly string[]): Examples {
  return { good: allowed, edges: WRONG_TYPES, odd: [...MORE_WRONG_TYPES, ...allowed.slice(0, 2).flatMap(nearMisses)] };
}

function integers({ minimum = 0, maximum = Number.MAX_SAFE_INTEGER }: Node): Examples {
  const good = [minimum, minimum + 1, Math.floor((minimum + maximum) / 2), maximum];
  const odd = [minimum + 0.5, -minimum, 2 ** 53, 2 ** 63, -(2 ** 63), 1e308, String(minimum)];
  return { good, edges: [minimum - 1, maximum + 1, ...WRONG_TYPES], odd: [...MORE_WRONG_TYPES, ...odd] };
}

function texts(node: Node): Examples {
  const range = rangeOf(node);
  const tried = range === undefined ? shapesOf(node) : [...boundsOf(range), ...inAllUnits(range)];
  const fitting = tried.filter((text) => holds(node, text));
  const good = typeof node.default === 'string' ? [node.default, ...fitting] : fitting;
  const misses = good
    .filter((each) => typeof each === 'string')
    .slice(0, 2)
    .flatMap(nearMisses);
  const edges = [...WRONG_TYPES, ...(range === undefined ? lengthsOf(node) : boundsOf(range))];
  return { good, edges, odd: [...MORE_WRONG_TYPES, ...tried, ...lengthsOf(node), ...misses] };
}

function lists({ items = {}, maxItems = 0 }: Node): Examples {
  const { good, edges, odd } = examplesOf(items);
  const [first] = good;
  const many = (count: number) => Array(count).fill(first);
  const wrong = [null, true, 1, 'x', {}];
  return {
    good: [[], [first], good.slice(0, 2), many(maxItems)],
    edges: [...wrong, many(maxItems + 1), ...edges.map((each) => [first, each])],
    odd: odd.map((each) => [each]),
  };
}

function objects({
  properties = {},
  additionalProperties,
  maxProperties = 0,
  default: filled,
  ...node
}: Node): Examples {
  const none = [null, true, 1, 'x', [], [1]];
  if (!additionalProperties) {
    const unknown = UNKNOWN_NAMES.map((name) => entry(name, 1));
    const nulls = Object.fromEntries(Object.keys(properties).map((name) => [name, null]));
    return { good: [needed(node)], edges: [...none, {}, entry('maxBuffer', null), nulls], odd: unknown };
  }
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`r${at}`, 1]));
  const keys = ['', 'a.b', 'a/b', 'a~1b', '[x]', '😀', '__proto__'].map((key) => entry(key, 1));
  return { good: [{}, filled], edges: [...none, many(maxProperties), many(maxProperties + 1)], odd: keys };
}

/** `{[name]: value}`, also for names that an object literal takes for something else. */
function entry(name: string, value: unknown): unknown {
  return JSON.parse(`{${JSON.stringify(name)}:${JSON.stringify(value)}}`);
}

/** Texts of the shape that the field's pattern asks for; any text where there is none. */
function shapesOf(node: Node): string[] {
  const pattern = (node[RULES_KEYWORD] ?? []).map((rule) => ('pattern' in rule ? String(rule.pattern) : undefined))[0];
  if (pattern === undefined) return ['x', 'registry.example/team/agent:v1.2.3', 'ü', '😀', 'a\nb', '-', 'x y'];
  return fc.sample(fc.stringMatching(new RegExp(pattern)), { seed: 7, numRuns: 12 });
}

/** Around the longest text that is allowed; the API server counts characters, not UTF-16 units. */
function lengthsOf({ maxLength }: Node): string[] {
  if (maxLength === undefined) return [];
  return ['a', '1', '😀'].flatMap((unit) => [unit.repeat(maxLength), unit.repeat(maxLength + 1)]);
}

/** What a slip of the hand makes of a good text. */
function nearMisses(text: string): string[] {
  const [upper, lower] = [text.toUpperCase(), text.toLowerCase()];
  const around = [`${text}\n`, `\n${text}`, ` ${text}`, `${text} `, `${text}\r\n`, `${text}\u0000`, `\ufeff${text}`];
  return [
    ...around,
    upper,
    lower,
    text.slice(1),
    text.slice(0, -1),
    `${text}${text}`,
    `${text}é`,
    `-${text}`,
    `.${text}`,
  ];
}

interface Range {
  readonly kind: 'bytes' | 'duration';
  readonly min: string;
  readonly max: string;
}

function rangeOf(node: Node): Range | undefined {
  const rule = (node[RULES_KEYWORD] ?? []).find((each) => 'range' in each) as { readonly range: Range } | undefined;
  return rule?.range;
}

/** The bounds as they are written, and one less and one more. */
function boundsOf({ min, max }: Range): string[] {
  return [min, max].flatMap((bound) => {
    const count = Number.parseInt(bound, 10);
    return [count - 1, count, count + 1].map((each) => bound.replace(/^[0-9]+/, String(each)));
  });
}

/** The bounds and their neighbours in every unit, and some that are no quantity. */
function inAllUnits({ kind, min, max }: Range): (string | number)[] {
  const parse = kind === 'bytes' ? parseBytes : (text: string) => parseDurationMs(text);
  const units = kind === 'bytes' ? ['', 'k', 'M', 'G', 'Ki', 'Mi', 'Gi'] : ['ms', 's', 'm', 'h'];
  const said = [min, max].flatMap((bound) =>
    units.flatMap((unit) => {
      const count = Math.floor((parse(bound) ?? 0) / (parse(`1${unit}`) ?? 1));
      return [`${count}${unit}`, `${count + 1}${unit}`];
    }),
  );
  return [...said, ...(kind === 'bytes' ? NO_SIZES : NO_DURATIONS)];
}

const NO_SIZES = [
  '32MB',
  '1e6',
  '4 Mi',
  '1.5Mi',
  '-1',
  '0x10',
  '1Ti',
  '99999999999999999999',
  3e6,
  1.5e6,
  -5,
  1e15,
  1e18,
];
const NO_DURATIONS = [
  '10',
  '1d',
  '1.5s',
  '1m30s',
  '1us',
  '1e3s',
  '99999h',
  '999999h',
  '9999999h',
  '999999999ms',
  '-1s',
];

function holds(node: Node, value: unknown): boolean {
  return (node[RULES_KEYWORD] ?? []).every((rule) => rule.holds(value as never));
}
