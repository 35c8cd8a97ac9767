import { load, YAMLException } from 'js-yaml';

/** A YAML mapping; its fields are unchecked. */
export type Mapping = Readonly<Record<string, unknown>>;

const MAX_TEXT_BYTES = 256 * 1024;
/** A kubeconfig nests four deep, extensions a little more. */
const MAX_DEPTH = 32;
/** People write a few by hand; a bomb needs many. */
const MAX_ALIASES = 20;

/**
 * The one YAML (or JSON) mapping in a text that may be hostile, at most 256 KiB, or what is wrong with it.
 * The trouble tells where, never what stands there: that may be a secret.
 */
export function yamlMapping(text: string): { readonly mapping: Mapping } | { readonly trouble: string } {
  if (Buffer.byteLength(text) > MAX_TEXT_BYTES) return { trouble: `is longer than ${MAX_TEXT_BYTES / 1024} KiB` };
  try {
    const mapping = load(text, { maxDepth: MAX_DEPTH, maxAliases: MAX_ALIASES });
    return isMapping(mapping) ? { mapping } : { trouble: 'is no mapping' };
  } catch (error) {
    const mark = error instanceof YAMLException ? error.mark : undefined;
    const where = mark === undefined ? '' : `: see line ${mark.line + 1}, column ${mark.column + 1}`;
    return { trouble: `is not one YAML document${where}` };
  }
}

export function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The mapping's own field, never an inherited one. */
export function fieldOf(mapping: Mapping, name: string): unknown {
  return Object.hasOwn(mapping, name) ? mapping[name] : undefined;
}
