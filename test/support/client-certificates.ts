import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { KeyPair } from '../../operator/gateway/front/certificates.ts';

export const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
export const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const DAY_MS = 24 * 60 * 60 * 1_000;

/** What a certificate says, beyond what every one of its kind does. */
export interface Said {
  /** As in RFC 4514: "CN=jane,O=dev". */
  readonly subject?: string;
  /** undefined: no extended key usage. */
  readonly usages?: readonly string[] | undefined;
  readonly isAuthority?: boolean;
  readonly pathLength?: number;
  readonly mayNotSign?: boolean;
  readonly extensions?: readonly x509.Extension[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly hash?: string;
}

/** A certificate with its key, and the power to sign others: whether it may is what it says. */
export class Signer {
  readonly cert: string;
  readonly #certificate: x509.X509Certificate;
  readonly #keys: webcrypto.CryptoKeyPair;

  private constructor(certificate: x509.X509Certificate, keys: webcrypto.CryptoKeyPair) {
    this.cert = `${certificate.toString('pem')}\n`;
    this.#certificate = certificate;
    this.#keys = keys;
  }

  static async authority(said: Said = {}): Promise<Signer> {
    return Signer.#make({ subject: 'CN=hub', isAuthority: true, usages: undefined, ...said }, undefined);
  }

  /** Signs another. */
  issue(said: Said = {}): Promise<Signer> {
    return Signer.#make({ subject: 'CN=jane,O=dev,O=ops', usages: [CLIENT_AUTH], ...said }, this);
  }

  async keyPair(...intermediates: Signer[]): Promise<KeyPair> {
    const key = await webcrypto.subtle.exportKey('pkcs8', this.#keys.privateKey);
    const cert = [this, ...intermediates].map((each) => each.cert).join('');
    return { cert, key: x509.PemConverter.encode(key, 'PRIVATE KEY') };
  }

  static async #make(said: Said, issuer: Signer | undefined): Promise<Signer> {
    const { subject = 'CN=x', usages, isAuthority = false, pathLength, mayNotSign = false, extensions = [] } = said;
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: said.hash ?? 'SHA-256' };
    const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
    const signs = isAuthority && !mayNotSign;
    const certificate = await x509.X509CertificateGenerator.create({
      subject,
      issuer: issuer === undefined ? subject : issuer.#certificate.subject,
      notBefore: said.notBefore ?? new Date(Date.now() - DAY_MS),
      notAfter: said.notAfter ?? new Date(Date.now() + 365 * DAY_MS),
      publicKey: keys.publicKey,
      signingKey: (issuer === undefined ? keys : issuer.#keys).privateKey,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(isAuthority, pathLength, true),
        new x509.KeyUsagesExtension(signs ? x509.KeyUsageFlags.keyCertSign : x509.KeyUsageFlags.digitalSignature, true),
        ...(usages === undefined ? [] : [new x509.ExtendedKeyUsageExtension([...usages])]),
        ...extensions,
      ],
    });
    return new Signer(certificate, keys);
  }
}
