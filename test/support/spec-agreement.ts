import { isDeepStrictEqual } from 'node:util';
import { RULES_KEYWORD, type Rule } from '../../crds/rules.ts';
import { specSchema } from '../../crds/schema.ts';
import type { Validated } from '../../crds/validate.ts';
import type { ApiVerdict } from './api-verdict.ts';

/** What the API server and validateSpec do not agree on; undefined when they do. */
export function disagreement(spec: unknown, ours: Validated, theirs: ApiVerdict): string | undefined {
  const what = 'errors' in ours ? aboutBlame(ours.errors, theirs) : aboutSpec(ours.spec, theirs);
  if (what === undefined) return undefined;
  const blamed = JSON.stringify([...theirs.blamed]);
  return `${what}: ${JSON.stringify(spec)}\n  ours: ${JSON.stringify(ours)}\n  theirs: ${blamed}`;
}

function aboutSpec(spec: unknown, theirs: ApiVerdict): string | undefined {
  if (theirs.blamed.size > 0) return 'only the API server refuses';
  return isDeepStrictEqual(theirs.spec, spec) ? undefined : `other defaults: ${JSON.stringify(theirs.spec)}`;
}

function aboutBlame(errors: readonly string[], theirs: ApiVerdict): string | undefined {
  if (theirs.blamed.size === 0) return 'only validateSpec refuses';
  const words = new Map([...theirs.blamed].map(([path, messages]) => [dotted(path), messages.join('\n')]));
  const ours = new Map(errors.map((error) => [dotted(error.slice(0, error.indexOf(': '))), error]));
  // An object in place of a text: the API server also calls its fields unknown.
  const isBlamed = (path: string) => [...ours.keys()].some((each) => each === path || path.startsWith(`${each}.`));
  const missed = [...words.keys()].filter((path) => !isBlamed(path));
  if (missed.length > 0) return `validateSpec does not blame ${missed.join()}`;
  // Where the API server asked no rules, we may know more.
  if (!theirs.hasAskedRules) return undefined;
  const more = [...ours.keys()].filter((path) => !words.has(path));
  if (more.length > 0) return `only validateSpec blames ${more.join()}`;
  const otherWords = [...ours].find(([path, error]) => {
    const message = MESSAGES.find((each) => error.endsWith(each));
    return message !== undefined && !words.get(path)?.includes(message);
  });
  return otherWords === undefined ? undefined : `other words for ${otherWords[0]}`;
}

/** The API server writes requests[cpu] in its rules and requests.cpu elsewhere. */
function dotted(path: string): string {
  return path.replaceAll('[', '.').replaceAll(']', '');
}

const MESSAGES: readonly string[] = [...messagesIn(specSchema)];

function* messagesIn(node: unknown): Generator<string> {
  if (typeof node !== 'object' || node === null) return;
  const { [RULES_KEYWORD]: rules = [], ...rest } = node as { [RULES_KEYWORD]?: readonly Rule[] };
  for (const { message } of rules) yield message;
  for (const child of Object.values(rest)) yield* messagesIn(child);
}
