/**
 * What differs between two runs of the same command although nothing is different: ids, versions, times and where the server is; and
 * the names of the temporary files of `kubectl diff`.
 */
const MASKS: readonly (readonly [pattern: RegExp, mask: string])[] = [
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, '<uid>'],
  [/("?resourceVersion"?: ?)"?\d+"?/g, '$1<version>'],
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\b/g, '<time>'],
  [/\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} [\d:]{8} ([+-]\d{4}|GMT|UTC)\b/g, '<time>'],
  [/\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \w{3} [ \d]\d [\d:]{8} \d{4}\b/g, '<time>'],
  [/\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ [+-]\d{4}/g, '<time>'],
  [/\/(LIVE|MERGED)-\d+\//g, '/$1-<number>/'],
  [/https:\/\/127\.0\.0\.1:\d+(\/clusters\/[a-z0-9-]+)?/g, '<server>'],
];

/** Ages stand in the last column of kubectl's tables, in `describe` and in `get events`. */
const AGE = /\b(\d+[smhd]){1,2}\b|<invalid>/g;

/** The output with what may differ replaced; columns fall together, because a longer age makes a wider column. */
export function masked(output: string): string {
  let text = output;
  for (const [pattern, mask] of MASKS) text = text.replace(pattern, mask);
  return text.replace(AGE, '<age>').replace(/ +/g, ' ').replace(/ +$/gm, '');
}
