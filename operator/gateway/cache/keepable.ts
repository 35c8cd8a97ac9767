import { headerOf } from '../../../tunnel/request-headers.ts';
import type { ResponseHead } from '../../../tunnel/wire/head.ts';
import { valuesOf } from './asked.ts';

/** What the key tells apart. */
const IN_KEY: ReadonlySet<string> = new Set(['accept', 'accept-encoding']);
const NO_STORE = /(^|[\s,])no-store($|[\s,;])/i;

/** Whether an answer with this head may be remembered, if it arrives whole. `mostBytes`: the largest that may. */
export function isKeepable({ status, headers }: ResponseHead, mostBytes: number): boolean {
  if (status !== 200 || headerOf(headers, 'set-cookie') !== undefined) return false;
  if (NO_STORE.test(valuesOf(headers, 'cache-control'))) return false;
  const varies = valuesOf(headers, 'vary').toLowerCase().split(',');
  if (varies.some((name) => name.trim() !== '' && !IN_KEY.has(name.trim()))) return false;
  return Number(headerOf(headers, 'content-length') ?? 0) <= mostBytes;
}
