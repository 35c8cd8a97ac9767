import { readFileSync, statSync } from 'node:fs';
import { addAbortSignal, type Readable } from 'node:stream';
import { describeError } from '../../process/redact.ts';
import { CommandError } from '../output.ts';

export interface TokenFlags {
  readonly token: string | undefined;
  /** Path, or - for stdin. */
  readonly 'token-file': string | undefined;
}

/** What the gateway takes behind "Bearer". */
const TOKEN = /^[A-Za-z0-9._~+/=-]+$/;
const MAX_TOKEN_BYTES = 64 * 1024;
/** A person or a program at the other end of the pipe gets this long. */
const STDIN_TIMEOUT_MS = 60_000;

/** The token that the flags give; undefined: none. @throws CommandError */
export async function givenToken(flags: TokenFlags, stdin: Readable): Promise<string | undefined> {
  const text = await givenText(flags, stdin);
  if (text === undefined) return undefined;
  const token = text.trim();
  if (TOKEN.test(token)) return token;
  throw new CommandError({
    what: 'this is no token',
    why: token === '' ? 'it is empty' : 'it has characters that no bearer token has',
    remedy: '`kubectl create token <service account>` makes one',
  });
}

async function givenText(flags: TokenFlags, stdin: Readable): Promise<string | undefined> {
  const file = flags['token-file'];
  if (file === undefined) return flags.token;
  try {
    return file === '-' ? await readAll(stdin) : readBounded(file);
  } catch (error) {
    throw new CommandError({
      what: `the token cannot be read from ${file === '-' ? 'stdin' : file}`,
      why: describeError(error),
      remedy: 'name a file that has nothing but the token, or - and write it to stdin',
    });
  }
}

function readBounded(file: string): string {
  if (statSync(file).size > MAX_TOKEN_BYTES) throw new Error(`it has more than ${MAX_TOKEN_BYTES} bytes`);
  return readFileSync(file, 'utf8');
}

async function readAll(stdin: Readable): Promise<string> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of addAbortSignal(AbortSignal.timeout(STDIN_TIMEOUT_MS), stdin)) {
    sizeBytes += chunk.length;
    if (sizeBytes > MAX_TOKEN_BYTES) throw new Error(`it has more than ${MAX_TOKEN_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
