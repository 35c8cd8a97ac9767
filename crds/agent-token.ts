import { createHash, timingSafeEqual } from 'node:crypto';

/**
 * An agent token: `ct1.<keyId>.<secret>`: a fixed prefix for secret scanners, a key id for lookup,
 * and 256 random bits in base64url. Only its SHA-256 is kept at the hub: the input is random, so a slow hash adds nothing.
 */
const TOKEN = /^ct1\.([a-z2-7]{10})\.[A-Za-z0-9_-]{43}$/;
const KEY_ID_BYTES = 10;
const SECRET_BYTES = 32;
const KEY_ID_ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/** Keys of one tunnel that are valid at the same time: the current one, and one being rolled out. */
export const MAX_KEYS_PER_TUNNEL = 2;

/** What the hub keeps of a token. */
export interface AgentKey {
  readonly keyId: string;
  /** SHA-256 of the whole token, in hex. */
  readonly sha256: string;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly tunnel: string;
  /** uid of the ClusterTunnel: a token of a deleted tunnel does not fit its namesake. */
  readonly tunnelUid: string;
}

export interface MintedToken {
  readonly token: string;
  readonly keyId: string;
  readonly sha256: string;
}

/** A new token; `randomBytes` must be cryptographically strong (node:crypto). */
export function mintAgentToken(randomBytes: (sizeBytes: number) => Uint8Array): MintedToken {
  const keyId = [...randomBytes(KEY_ID_BYTES)].map((byte) => KEY_ID_ALPHABET[byte & 31]).join('');
  const token = `ct1.${keyId}.${Buffer.from(randomBytes(SECRET_BYTES)).toString('base64url')}`;
  return { token, keyId, sha256: sha256Hex(token) };
}

/** The key id of a well-formed token; undefined if it is none. */
export function parseAgentToken(text: string): { readonly keyId: string } | undefined {
  const keyId = TOKEN.exec(text)?.[1];
  return keyId === undefined ? undefined : { keyId };
}

/** Whether the token has this hash, in constant time. */
export function tokenMatches(token: string, expectedSha256: string): boolean {
  const expected = Buffer.from(expectedSha256, 'hex');
  const actual = createHash('sha256').update(token).digest();
  return expected.length === actual.length && timingSafeEqual(actual, expected);
}

/** `data` of the Secret that keeps a tunnel's keys: one entry a key, named by its id. Holds no token. */
export function encodeAgentKeys(keys: readonly AgentKey[]): Record<string, string> {
  return Object.fromEntries(
    keys.map(({ keyId, ...facts }) => [keyId, Buffer.from(JSON.stringify(facts)).toString('base64')]),
  );
}

/** The keys in the Secret's `data`, oldest first. Damaged entries are left out: they fit no token. */
export function decodeAgentKeys(data: Readonly<Record<string, string>> | undefined): AgentKey[] {
  return Object.entries(data ?? {})
    .map(([keyId, text]) => decodeAgentKey(keyId, text))
    .filter((key) => key !== undefined)
    .sort((a, b) => a.createdAt.localeCompare(b.createdAt));
}

function decodeAgentKey(keyId: string, text: string): AgentKey | undefined {
  const facts = parseJson(Buffer.from(text, 'base64').toString('utf8'));
  const { sha256, createdAt, tunnel, tunnelUid } = facts;
  const isWhole = [sha256, createdAt, tunnel, tunnelUid].every((fact) => typeof fact === 'string');
  return isWhole && /^[0-9a-f]{64}$/.test(String(sha256))
    ? ({ keyId, sha256, createdAt, tunnel, tunnelUid } as AgentKey)
    : undefined;
}

function parseJson(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    // A damaged entry fits no token; credentials.ts mints a new key for it.
    return {};
  }
}

function sha256Hex(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
