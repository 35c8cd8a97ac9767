import 'reflect-metadata'; // tsyringe, below @peculiar/x509, asks for it at load.
import { randomBytes, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

/** A certificate and its private key, both PEM. */
export interface KeyPair {
  readonly certificatePem: string;
  readonly keyPem: string;
}

export interface Subject {
  readonly commonName: string;
  readonly organization?: string;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const LIFETIME_MS = 365 * 24 * 3600 * 1000;
/** Clocks of one machine agree; the hour is for a clock that is set back while a lab runs. */
const BACKDATED_MS = 3600 * 1000;
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

x509.cryptoProvider.set(webcrypto);

/** A certificate authority that lives in this process; its key is never written. */
export class Authority {
  readonly certificatePem: string;
  readonly #certificate: x509.X509Certificate;
  readonly #keys: webcrypto.CryptoKeyPair;

  private constructor(certificate: x509.X509Certificate, keys: webcrypto.CryptoKeyPair) {
    this.certificatePem = `${certificate.toString('pem')}\n`;
    this.#certificate = certificate;
    this.#keys = keys;
  }

  static async create(commonName: string): Promise<Authority> {
    const keys = await newKeys();
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      ...validity(),
      name: distinguishedName({ commonName }),
      keys,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      ],
    });
    return new Authority(certificate, keys);
  }

  client(subject: Subject): Promise<KeyPair> {
    return this.#issue(subject, [new x509.ExtendedKeyUsageExtension([CLIENT_AUTH])]);
  }

  server(
    commonName: string,
    names: { readonly dns: readonly string[]; readonly ip: readonly string[] },
  ): Promise<KeyPair> {
    const alternatives = [
      ...names.dns.map((value) => ({ type: 'dns' as const, value })),
      ...names.ip.map((value) => ({ type: 'ip' as const, value })),
    ];
    // Client use as well: etcd's gateway calls its own listener with its serving certificate.
    return this.#issue({ commonName }, [
      new x509.ExtendedKeyUsageExtension([SERVER_AUTH, CLIENT_AUTH]),
      new x509.SubjectAlternativeNameExtension(alternatives),
    ]);
  }

  async #issue(subject: Subject, extensions: x509.Extension[]): Promise<KeyPair> {
    const keys = await newKeys();
    const certificate = await x509.X509CertificateGenerator.create({
      ...validity(),
      subject: distinguishedName(subject),
      issuer: this.#certificate.subject,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      signingAlgorithm: ALGORITHM,
      extensions: [new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true), ...extensions],
    });
    return { certificatePem: `${certificate.toString('pem')}\n`, keyPem: await privatePem(keys) };
  }
}

/** A key pair without a certificate, as service-account tokens are signed with. */
export async function newSigningKey(): Promise<{ readonly publicPem: string; readonly keyPem: string }> {
  const keys = await newKeys();
  const spki = Buffer.from(await webcrypto.subtle.exportKey('spki', keys.publicKey));
  return { publicPem: pem('PUBLIC KEY', spki), keyPem: await privatePem(keys) };
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']) as Promise<webcrypto.CryptoKeyPair>;
}

async function privatePem(keys: webcrypto.CryptoKeyPair): Promise<string> {
  return pem('PRIVATE KEY', Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)));
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

function validity(): { serialNumber: string; notBefore: Date; notAfter: Date } {
  const nowMs = Date.now();
  // The leading 01 keeps the number positive and its first byte significant.
  const serialNumber = `01${randomBytes(15).toString('hex')}`;
  return { serialNumber, notBefore: new Date(nowMs - BACKDATED_MS), notAfter: new Date(nowMs + LIFETIME_MS) };
}

function distinguishedName({ commonName, organization }: Subject): x509.JsonName {
  const name: x509.JsonName = [{ CN: [commonName] }];
  return organization === undefined ? name : [{ O: [organization] }, ...name];
}
