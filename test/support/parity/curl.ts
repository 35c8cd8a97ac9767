import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type KubectlResult, kubectl } from '../../../hack/lab/kubectl.ts';
import type { ClientsLab, Way } from './clients-lab.ts';

export const HTTP_VERSIONS = ['1.1', '2'] as const;
export type HttpVersion = (typeof HTTP_VERSIONS)[number];

/** One request. */
export interface CurlStep {
  readonly title: string;
  /** `{version}` stands for a resourceVersion at which every way asks. */
  readonly path: string;
  /** `{etag}` stands for a file in which the way's ETag is kept. */
  readonly args?: readonly string[];
  readonly body?: string;
  /** What the answer's status is to be; none: curl gives up before it ends. */
  readonly status: number;
  /** curl's own, if not 0. */
  readonly exitCode?: number;
  /** Somebody whose token nobody knows. */
  readonly isStranger?: boolean;
}

export interface CurlAnswer extends KubectlResult {
  /** Of every head, 1xx included: version and status, then what describes the answer, in the order of names. */
  readonly heads: readonly (readonly string[])[];
  readonly body: Buffer;
}

/** Of this connection or this moment, and the gateway's own. */
const UNCOMPARED = ['date', 'connection', 'keep-alive', 'x-trace-id', 'traceparent', 'x-content-type-options', 'age'];

/** The system's curl, one way, over one version of HTTP. */
export async function curl(clients: ClientsLab, way: Way, version: HttpVersion, step: CurlStep): Promise<CurlAnswer> {
  const { dir } = clients.lab;
  const folder = mkdtempSync(join(dir, 'curl-'));
  const [head, body, upload] = ['head', 'body', 'upload'].map((name) => join(folder, name)) as [string, string, string];
  if (step.body !== undefined) writeFileSync(upload, step.body);
  writeFileSync(head, '');
  writeFileSync(body, '');
  const args = [
    ...[
      '--silent',
      '--show-error',
      '--config',
      step.isStranger ? clients.strangersCurlConfig : clients.curlConfig(way),
    ],
    ...[`--http${version}`, '--max-time', '30'],
    ...['--dump-header', head, '--output', body],
    ...(step.body === undefined ? [] : ['--data-binary', `@${upload}`, '--header', 'content-type: application/json']),
    ...(step.args ?? []).map((arg) => arg.replace('{etag}', join(dir, way.isDirect ? 'direct.etag' : 'gateway.etag'))),
    `${clients.url(way)}${step.path}`,
  ];
  const result = await kubectl({ file: 'curl', cacheFolder: dir }, '', args, { mayFail: true });
  // Of an answer to HEAD curl writes the head into both.
  const isHead = step.args?.includes('--head') === true;
  const answer = {
    ...result,
    heads: headsIn(readFileSync(head, 'latin1')),
    body: isHead ? Buffer.alloc(0) : readFileSync(body),
  };
  rmSync(folder, { recursive: true });
  return answer;
}

/** What is a text is shown as one; of other bytes their number and digest. */
export function bodyOf({ body }: CurlAnswer): string {
  const text = body.toString('utf8');
  const isShort = body.length < 100_000 && Buffer.from(text).equals(body) && !text.includes('\0');
  return isShort ? text : `${body.length} bytes, SHA-256 ${createHash('sha256').update(body).digest('hex')}`;
}

function headsIn(text: string): string[][] {
  const heads = text.split('\r\n\r\n').filter((head) => head !== '');
  return heads.map((head) => {
    const [statusLine = '', ...fields] = head.split('\r\n');
    return [statusLine.split(' ', 2).join(' '), ...described(fields)];
  });
}

/** Several lines of one name are one list (RFC 9110 §5.3); the order in which the API server lists what an answer varies by means nothing. */
function described(fields: readonly string[]): string[] {
  const values = new Map<string, string[]>();
  for (const field of fields) {
    const name = field.slice(0, field.indexOf(':')).toLowerCase();
    const value = field.slice(field.indexOf(':') + 1).trim();
    const items = name === 'vary' ? value.split(', ') : [value];
    if (!UNCOMPARED.includes(name)) values.set(name, [...(values.get(name) ?? []), ...items].sort());
  }
  return [...values].map(([name, list]) => `${name}: ${list.join(', ')}`).sort();
}
