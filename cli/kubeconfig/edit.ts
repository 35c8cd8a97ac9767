import { isCollection, isMap, isNode, isScalar, isSeq, type Pair, parseDocument, stringify, type YAMLMap } from 'yaml';
import { type Entry, LISTS, type ListName } from './document.ts';

/**
 * Changes in a kubeconfig's text that leave every byte of the rest as it is: comments, order, quotes, indentation.
 * The parser says only where things stand; what is written is spliced into the text. Block style stays block style,
 * JSON stays JSON.
 */

/** A text, and where its parts are. */
interface Page {
  readonly text: string;
  /** Undefined: the text has no content yet. */
  readonly root: YAMLMap | undefined;
  /** How lines end here. */
  readonly eol: string;
}

interface Span {
  readonly from: number;
  readonly to: number;
}

/** The text with `entry` in place of the one with its name, else behind the last one. */
export function putEntry(text: string, list: ListName, { name, fields }: Entry): string {
  const page = pageOf(text);
  const item = { [LISTS[list]]: fields, name };
  const pair = pairOf(page, list);
  if (pair === undefined) return addPair(page, list, [item]);
  const { value } = pair;
  if (!isSeq(value) || isBlank(page, value)) return fillEmpty(page, pair, [item]);
  const known = value.items.find((each) => isMap(each) && String(each.get('name')) === name);
  if (known !== undefined) return replaceItem(page, known, item);
  return value.flow === true ? appendFlow(page, value, json(item)) : appendItem(page, value, item);
}

/** The text with a plain field of the document set. */
export function putField(text: string, key: string, value: string): string {
  const page = pageOf(text);
  const pair = pairOf(page, key);
  if (pair === undefined) return addPair(page, key, value);
  const span = spanOf(pair.value);
  const written = page.root?.flow === true ? JSON.stringify(value) : yaml(value);
  return splice(text, span, text[span.from - 1] === ':' ? ` ${written}` : written);
}

/** Whether the text says anything beside comments. */
export function hasContent(text: string): boolean {
  return pageOf(text).root !== undefined;
}

function pageOf(text: string): Page {
  const { contents } = parseDocument(text);
  return { text, root: isMap(contents) ? contents : undefined, eol: text.includes('\r\n') ? '\r\n' : '\n' };
}

function pairOf({ root }: Page, key: string): Pair | undefined {
  return root?.items.find((pair) => isScalar(pair.key) && pair.key.value === key);
}

function addPair(page: Page, key: string, value: unknown): string {
  const { root, text } = page;
  if (root === undefined) return insertLines(page, text.length, yaml({ [key]: value }), 0);
  if (root.flow === true) return appendFlow(page, root, (depth) => `${JSON.stringify(key)}: ${json(value)(depth)}`);
  const { from, to } = spanOf(root);
  return insertLines(page, lineEnd(text, to), yaml({ [key]: value }), columnOf(text, from));
}

/** `clusters:`, `clusters: null` or `clusters: []` gets its first entries. */
function fillEmpty(page: Page, { key, value }: Pair, items: readonly unknown[]): string {
  const { text, root } = page;
  const span = spanOf(value);
  if (root?.flow === true) return splice(text, span, json(items)(0));
  const from = text.slice(0, span.from).trimEnd().length;
  const bare = { ...page, text: splice(text, { from, to: span.to }, '') };
  return insertLines(bare, lineEnd(bare.text, from), yaml(items), columnOf(text, spanOf(key).from));
}

/** Behind the last item of a block list, and behind the comment that stands on its line. */
function appendItem(page: Page, list: { readonly items: readonly unknown[] }, item: unknown): string {
  const { text } = page;
  const end = lineEnd(text, spanOf(list.items.at(-1)).to);
  return insertLines(page, end, yaml([item]), columnOf(text, spanOf(list).from));
}

function replaceItem({ text, eol }: Page, known: unknown, item: unknown): string {
  const { from, to } = spanOf(known);
  if (isCollection(known) && known.flow === true) return splice(text, { from, to }, json(item)(0));
  // Lines of comments behind the entry belong to what follows.
  const content = text.slice(from, to).replace(/(\r?\n[ \t]*(#[^\n]*)?)+$/, '');
  const lines = yaml(item).split('\n');
  return splice(text, { from, to: from + content.length }, lines.join(eol + ' '.repeat(columnOf(text, from))));
}

/** Behind the last member of a JSON list or object, in its layout: one line, or one line a member. */
function appendFlow(
  { text, eol }: Page,
  collection: { readonly items: readonly unknown[] },
  write: (depth: number) => string,
): string {
  const { from } = spanOf(collection);
  const [first] = collection.items;
  if (first === undefined) return splice(text, { from: from + 1, to: from + 1 }, write(0));
  const begin = memberSpan(first).from;
  const { to } = memberSpan(collection.items.at(-1));
  const isOneLine = !text.slice(from, begin).includes('\n');
  if (isOneLine) return splice(text, { from: to, to }, `, ${write(0)}`);
  const margin = text.slice(text.lastIndexOf('\n', begin - 1) + 1, begin);
  const lines = write(2)
    .split('\n')
    .join(eol + margin);
  return splice(text, { from: to, to }, `,${eol}${margin}${lines}`);
}

/** A member of a list, or key and value of an object's. */
function memberSpan(member: unknown): Span {
  if (isNode(member)) return spanOf(member);
  const { key, value } = member as Pair;
  return { from: spanOf(key).from, to: value === null ? spanOf(key).to : spanOf(value).to };
}

/** An empty list without anything in it that a person wrote. */
function isBlank({ text }: Page, list: { readonly items: readonly unknown[] }): boolean {
  const { from, to } = spanOf(list);
  return list.items.length === 0 && /^\[\s*\]$/.test(text.slice(from, to));
}

function spanOf(node: unknown): Span {
  const range = isNode(node) ? node.range : undefined;
  if (range === undefined || range === null) throw new Error('it is written in a way that cannot be changed in place');
  return { from: range[0], to: range[1] };
}

/** Where the line of `at` ends, its line break included; `at` itself when a line begins there. */
function lineEnd(text: string, at: number): number {
  if (at === 0 || text[at - 1] === '\n') return at;
  const newline = text.indexOf('\n', at);
  return newline < 0 ? text.length : newline + 1;
}

function columnOf(text: string, at: number): number {
  return at - (text.lastIndexOf('\n', at - 1) + 1);
}

/** Whole lines at `at`, where a line begins or the text ends. */
function insertLines({ text, eol }: Page, at: number, block: string, column: number): string {
  const margin = ' '.repeat(column);
  const before = at === 0 || text[at - 1] === '\n' ? '' : eol;
  const lines = block.split('\n').map((line) => margin + line + eol);
  return splice(text, { from: at, to: at }, before + lines.join(''));
}

function splice(text: string, { from, to }: Span, inserted: string): string {
  return text.slice(0, from) + inserted + text.slice(to);
}

/** YAML that every reader of kubeconfigs understands alike: what YAML 1.1 takes for a number or a boolean is quoted. */
function yaml(value: unknown): string {
  return stringify(value, {
    lineWidth: 0,
    blockQuote: false,
    indentSeq: false,
    aliasDuplicateObjects: false,
    compat: 'yaml-1.1',
  }).trimEnd();
}

function json(value: unknown): (depth: number) => string {
  return (depth) => JSON.stringify(value, undefined, depth);
}
