import 'reflect-metadata'; // tsyringe, below @peculiar/x509, asks for it at load.
import type { X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { HubUser } from './identity.ts';

/** Between a client's certificate and the hub's authority. */
const MAX_INTERMEDIATES = 4;
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const ANY_USAGE = '2.5.29.37.0';
const HASHES: ReadonlySet<string> = new Set(['SHA-256', 'SHA-384', 'SHA-512']);
/** Signatures without a hash of their own (RFC 8410). */
const HASHLESS: ReadonlySet<string> = new Set(['Ed25519', 'Ed448', 'EdDSA']);
/** Those that are looked at here, and those that limit nothing. RFC 5280 §4.2: what is critical and not known is refused. */
const KNOWN_EXTENSIONS: ReadonlySet<string> = new Set([
  ...['2.5.29.14', '2.5.29.15', '2.5.29.17', '2.5.29.19', '2.5.29.32', '2.5.29.35', '2.5.29.37'],
]);
const NAME_CONSTRAINTS = '2.5.29.30';

/** A certificate that an authority of the hub stands for, in its time. */
export interface VouchedFor {
  readonly user: HubUser;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/**
 * Whom a client's certificate names, or why nobody: the rules of RFC 5280 §6 as far as a hub's authority uses them, and
 * refusal beyond. Time is the caller's: a certificate may expire on a connection that lives on.
 */
export function vouchedFor(leaf: X509Certificate, authorities: readonly X509Certificate[]): VouchedFor | string {
  const chain = chainTo(leaf, authorities);
  if (typeof chain === 'string') return chain;
  const trouble = chain.map((certificate, at) => troubleOf(certificate, at)).find((each) => each !== undefined);
  if (trouble !== undefined) return trouble;
  const user = userOf(leaf);
  if (typeof user === 'string') return user;
  const notBeforeMs = Math.max(...chain.map(({ validFrom }) => Date.parse(validFrom)));
  const notAfterMs = Math.min(...chain.map(({ validTo }) => Date.parse(validTo)));
  if (Number.isNaN(notBeforeMs + notAfterMs)) return 'its dates cannot be read';
  return { user, notBeforeMs, notAfterMs };
}

/** The certificate, what it came with, and the authority at the end, each signed by the next. */
function chainTo(leaf: X509Certificate, authorities: readonly X509Certificate[]): X509Certificate[] | string {
  const chain = [leaf];
  for (let current = leaf; chain.length <= MAX_INTERMEDIATES + 1; ) {
    const signed = current;
    const authority = authorities.find((each) => isIssuedBy(signed, each));
    if (authority !== undefined) return [...chain, authority];
    const next = current.issuerCertificate;
    if (next === undefined || !isIssuedBy(current, next)) break;
    chain.push(next);
    current = next;
  }
  return 'no authority of the hub signed it';
}

/** By names, key identifiers, the right to sign, and the signature. */
function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/** What is wrong with one certificate of a chain; `at` counts from the client's, which is 0. */
function troubleOf(certificate: X509Certificate, at: number): string | undefined {
  const who = at === 0 ? 'it' : `its issuer (${at})`;
  const usages: readonly string[] | undefined = certificate.keyUsage;
  const isForClients = usages?.includes(CLIENT_AUTH) || (at > 0 && usages?.includes(ANY_USAGE));
  // An authority need not say what its certificates are for; a client's certificate must.
  if (usages === undefined ? at === 0 : !isForClients)
    return `${who} is not for clients (extended key usage clientAuth)`;
  const { extensions, signatureAlgorithm } = new x509.X509Certificate(certificate.raw);
  const { name, hash } = signatureAlgorithm as { readonly name: string; readonly hash?: { readonly name: string } };
  if (!HASHES.has(hash?.name ?? '') && !HASHLESS.has(name)) return `${who} is signed with ${hash?.name ?? name}`;
  const strange = extensions.find(
    ({ type, critical }) => type === NAME_CONSTRAINTS || (critical && !KNOWN_EXTENSIONS.has(type)),
  );
  if (strange !== undefined) return `${who} has an extension that is not known here (${strange.type})`;
  const limits = extensions.find((each) => each instanceof x509.BasicConstraintsExtension);
  if (limits?.pathLength !== undefined && at - 1 > limits.pathLength) return `${who} may not vouch for so long a chain`;
  return undefined;
}

/** CN is the name, each O a group. Source: k8s.io/apiserver authentication/request/x509, CommonNameUserConversion. */
function userOf(leaf: X509Certificate): HubUser | string {
  const subject = new x509.X509Certificate(leaf.raw).subjectName;
  const [username = '', ...others] = subject.getField('CN');
  if (username === '' || others.length > 0) return 'it has not exactly one common name';
  const credential = `X509SHA256=${leaf.fingerprint256.replaceAll(':', '').toLowerCase()}`;
  return {
    username,
    uid: '',
    groups: [...new Set([...subject.getField('O'), 'system:authenticated'])],
    extra: { 'authentication.kubernetes.io/credential-id': [credential] },
  };
}
