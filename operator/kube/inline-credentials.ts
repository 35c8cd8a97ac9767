import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';

/** A value, or what is wrong with the text that should hold it. The trouble never holds the text. */
export type Read<T> = { readonly value: T } | { readonly trouble: string };

const BEGIN = '-----BEGIN CERTIFICATE-----';
const END = '-----END CERTIFICATE-----';
/** The bundles of public authorities hold some 150. */
const MAX_CERTIFICATES = 500;
/** Far below what API servers take as headers, far above any token. */
const MAX_TOKEN_LENGTH = 16 * 1024;

/** A bearer token as it can stand in a header. */
export function readToken(value: unknown): Read<string> {
  if (typeof value !== 'string') return { trouble: 'must be text: put it in quotes' };
  if (value.length > MAX_TOKEN_LENGTH) return { trouble: `must be at most ${MAX_TOKEN_LENGTH} characters long` };
  if (!/^[\x21-\x7e]+$/.test(value)) {
    return { trouble: 'must be one word: no space, no line break (a token read from a file often ends in one)' };
  }
  return { value };
}

/** PEM of one or more certificates. `value`: its base64. */
export function readCertificates(value: unknown): Read<string> {
  const text = readBase64(value);
  if ('trouble' in text) return text;
  const blocks = certificateBlocks(text.value);
  if (blocks === undefined || blocks.length === 0) return { trouble: 'must be the base64 of certificates in PEM' };
  if (blocks.length > MAX_CERTIFICATES) return { trouble: `must hold at most ${MAX_CERTIFICATES} certificates` };
  for (const [index, block] of blocks.entries()) {
    if (certificateOf(block) === undefined) return { trouble: `holds no valid certificate as its number ${index + 1}` };
  }
  return { value: text.value };
}

/** PEM of a private key without a passphrase. `value`: its base64. */
export function readKey(value: unknown): Read<string> {
  const text = readBase64(value);
  if ('trouble' in text) return text;
  if (keyOf(text.value) === undefined) {
    return { trouble: 'must be the base64 of a private key in PEM, without a passphrase' };
  }
  return text;
}

/** Why TLS would not take the pair; undefined when it would. */
export function pairTrouble(certificatePem: string, keyPem: string): string | undefined {
  const key = keyOf(keyPem);
  if (key === undefined || certificateOf(certificatePem)?.checkPrivateKey(key) !== true) {
    return 'does not belong to client-key-data';
  }
  return isTakenByTls({ cert: certificatePem, key: keyPem })
    ? undefined
    : 'is refused by TLS: the key may be too short';
}

/** Whether TLS takes these authorities. */
export function isTakenByTls(material: { ca: string } | { cert: string; key: string }): boolean {
  try {
    createSecureContext(material);
    return true;
  } catch {
    // OpenSSL's reasons are not for people; that it refuses is what counts.
    return false;
  }
}

function readBase64(value: unknown): Read<string> {
  if (typeof value !== 'string') return { trouble: 'must be text in base64' };
  const dense = value.replace(/\s+/g, '');
  if (dense.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(dense)) return { trouble: 'must be text in base64' };
  return { value: Buffer.from(dense, 'base64').toString('latin1') };
}

/** The PEM blocks of a text; undefined when one does not end. */
function certificateBlocks(text: string): string[] | undefined {
  const blocks: string[] = [];
  for (let begin = text.indexOf(BEGIN); begin >= 0; begin = text.indexOf(BEGIN, begin + 1)) {
    const end = text.indexOf(END, begin);
    if (end < 0) return undefined;
    blocks.push(text.slice(begin, end + END.length));
    begin = end;
  }
  return blocks;
}

function certificateOf(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    // The caller says which one it was.
    return undefined;
  }
}

function keyOf(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    // Encrypted, damaged or no key at all: the remedy is the same.
    return undefined;
  }
}
