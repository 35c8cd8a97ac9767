/**
 * What a load request is and how it is to be answered. It says so itself, in its query, so that the upstream needs to know
 * nothing beforehand and whoever reads a record can tell what should have happened.
 */
export interface Asked {
  /** Of the request as its user means it: repeats have the same. */
  readonly id: string;
  /** 1, then one more for each repeat. */
  readonly attempt: number;
  readonly tunnel: string;
  /** Who asks. */
  readonly user: string;
  /** Between the end of the request and the head of its answer. */
  readonly holdMs: number;
  /** Of the body that is sent. */
  readonly requestBytes: number;
  /** Of the body of the answer; a watch's has no end. */
  readonly answerBytes: number;
  /** The answer does not say beforehand how long it is. */
  readonly isUnsized: boolean;
  /** Between two chunks of the body of the answer; 0: as fast as they are taken. */
  readonly dripMs: number;
  readonly isWatch: boolean;
}

/** The parameters of its query. A watch is one to the gateway too. */
export function queryOf(asked: Asked): string {
  const { id, attempt, tunnel, user, holdMs, requestBytes, answerBytes, isUnsized, dripMs, isWatch } = asked;
  const sizes = { request: requestBytes, answer: answerBytes, unsized: Number(isUnsized) };
  const numbers = { attempt, hold: holdMs, drip: dripMs, ...sizes };
  const query = new URLSearchParams({ id, tunnel, user });
  for (const [name, value] of Object.entries(numbers)) query.set(name, String(value));
  if (isWatch) query.set('watch', 'true');
  return query.toString();
}

/** From the URL of a request; undefined: it is none of ours. */
export function askedOf(url: string): Asked | undefined {
  const { searchParams: query } = new URL(url, 'https://upstream');
  const id = query.get('id');
  if (id === null) return undefined;
  return {
    id,
    attempt: Number(query.get('attempt')),
    tunnel: query.get('tunnel') ?? '',
    user: query.get('user') ?? '',
    holdMs: Number(query.get('hold')),
    requestBytes: Number(query.get('request')),
    answerBytes: Number(query.get('answer')),
    isUnsized: query.get('unsized') === '1',
    dripMs: Number(query.get('drip')),
    isWatch: query.get('watch') === 'true',
  };
}

/** Where in the pattern the body begins that goes this way: bytes of one request are never those of another. */
export function bodyOffset({ id, attempt }: Pick<Asked, 'id' | 'attempt'>, way: 'request' | 'answer'): number {
  // FNV-1a, 32 bits.
  let hash = 0x811c9dc5;
  for (const character of `${way} ${id} ${attempt}`) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  }
  return hash * 4096;
}

/** `id attempt`: of one attempt, wherever it is seen. */
export function attemptText({ id, attempt }: Pick<Asked, 'id' | 'attempt'>): string {
  return `${id} ${attempt}`;
}
