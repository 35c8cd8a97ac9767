import 'reflect-metadata'; // tsyringe, below @peculiar/x509, asks for it at load.
import { createPrivateKey, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';

/** A certificate with its private key, both PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 24 * 60 * 60 * 1000;
const AUTHORITY_DAYS = 3_650;
const SERVING_DAYS = 90;
/** Clocks of agents may be behind ours. */
const BACKDATED_MS = 60 * 60 * 1000;
/** A serving certificate is renewed when less than this share of its life is left. */
const RENEW_SHARE = 1 / 3;

type CryptoKey = webcrypto.CryptoKey;
type CryptoKeyPair = webcrypto.CryptoKeyPair;

/** The CA that agents and kubeconfigs trust. Made once, kept in a Secret. */
export async function issueAuthority(now: Date): Promise<KeyPair> {
  const keys = await generateKeys();
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity(now, AUTHORITY_DAYS),
    serialNumber: serialNumber(),
    name: 'CN=clustertunnel-ca',
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: cert.toString('pem'), key: await keyPem(keys.privateKey) };
}

/** The gateway's certificate for these names and addresses. */
export async function issueServing(authority: KeyPair, names: readonly string[], now: Date): Promise<KeyPair> {
  const keys = await generateKeys();
  const issuer = new x509.X509Certificate(authority.cert);
  const cert = await x509.X509CertificateGenerator.create({
    ...validity(now, SERVING_DAYS),
    serialNumber: serialNumber(),
    subject: 'CN=clustertunnel-gateway',
    issuer: issuer.subject,
    signingKey: await importKey(authority.key),
    publicKey: keys.publicKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(names.map(alternativeName)),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return { cert: cert.toString('pem'), key: await keyPem(keys.privateKey) };
}

/** Why a serving certificate must be replaced; undefined while it may stay. */
export function renewalReason(
  serving: KeyPair,
  authority: KeyPair,
  names: readonly string[],
  now: Date,
): string | undefined {
  if (!isWhole(serving)) return 'it is damaged';
  const cert = new x509.X509Certificate(serving.cert);
  const lifeMs = cert.notAfter.getTime() - cert.notBefore.getTime();
  if (cert.notAfter.getTime() - now.getTime() < lifeMs * RENEW_SHARE) return 'less than a third of its life is left';
  // By signature: every authority of ours has the same name.
  const authorityKey = new X509Certificate(authority.cert).publicKey;
  if (!new X509Certificate(serving.cert).verify(authorityKey)) return 'another authority issued it';
  const present = new Set(
    cert.getExtension(x509.SubjectAlternativeNameExtension)?.names.items.map(({ value }) => value),
  );
  const missing = names.find((name) => !present.has(name));
  return missing === undefined ? undefined : `it does not name ${missing}`;
}

/** Whether it is a certificate with the private key that belongs to it. */
export function isWhole({ cert, key }: KeyPair): boolean {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch {
    // Not PEM, or not what it says: whoever asks says what to do about it.
    return false;
  }
}

/** Names under which agents and users reach the gateway: its external host, its Service, localhost. */
export function servingNames(externalUrl: string, namespace: string): string[] {
  const { hostname } = new URL(externalUrl);
  const host = hostname.replace(/^\[|\]$/g, '');
  const service = `clustertunnel-gateway.${namespace}`;
  return [...new Set([host, `${service}.svc`, `${service}.svc.cluster.local`, 'localhost', '127.0.0.1', '::1'])];
}

function alternativeName(name: string): x509.JsonGeneralName {
  return { type: isIP(name) === 0 ? 'dns' : 'ip', value: name };
}

function validity(now: Date, days: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(now.getTime() - BACKDATED_MS), notAfter: new Date(now.getTime() + days * DAY_MS) };
}

/** 127 random bits: positive, as RFC 5280 §4.1.2.2 wants it. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  return bytes.toString('hex');
}

async function generateKeys(): Promise<CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as CryptoKeyPair;
}

async function keyPem(key: CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}

async function importKey(pem: string): Promise<CryptoKey> {
  return (await webcrypto.subtle.importKey('pkcs8', x509.PemConverter.decodeFirst(pem), ALGORITHM, false, [
    'sign',
  ])) as CryptoKey;
}
