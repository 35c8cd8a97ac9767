import { X509Certificate } from 'node:crypto';
import type { Clock } from '../../../process/clock.ts';
import { type VouchedFor, vouchedFor } from './client-certificate.ts';
import type { HubUser } from './identity.ts';

/** One certificate of a PEM bundle. */
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** What a certificate says of who shows it. */
export type CertificateLogin =
  | { readonly user: HubUser }
  /** Why it names nobody: a sentence about "it". */
  | { readonly trouble: string }
  /** The hub has not said yet whom it trusts. */
  | 'unknown';

/** Client certificates → hub users, by the authorities that the hub's API server trusts. Checked again when these change. */
export class CertificateLogins {
  readonly #clock: Clock;
  #authorities: readonly X509Certificate[] | undefined;
  /** By certificate of a connection: one is looked at once, whatever is asked on its connection. */
  #verdicts = new WeakMap<X509Certificate, VouchedFor | string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** From now on these count, for connections that are open too. What is no certificate among them is left out. */
  setAuthorities(pem: string): void {
    this.#authorities = [...pem.matchAll(CERTIFICATE)].flatMap(([text]) => parsed(text) ?? []);
    this.#verdicts = new WeakMap();
  }

  /** Who shows this certificate, now. */
  login(certificate: X509Certificate): CertificateLogin {
    if (this.#authorities === undefined) return 'unknown';
    let verdict = this.#verdicts.get(certificate);
    if (verdict === undefined) {
      verdict = safely(certificate, this.#authorities);
      this.#verdicts.set(certificate, verdict);
    }
    if (typeof verdict === 'string') return { trouble: verdict };
    const nowMs = this.#clock.date().getTime();
    if (nowMs > verdict.notAfterMs) return { trouble: 'it has expired' };
    return nowMs >= verdict.notBeforeMs ? { user: verdict.user } : { trouble: 'it is not valid yet' };
  }
}

/** Any client may show any bytes that TLS takes for a certificate. */
function safely(certificate: X509Certificate, authorities: readonly X509Certificate[]): VouchedFor | string {
  try {
    return vouchedFor(certificate, authorities);
  } catch {
    return 'it cannot be read';
  }
}

function parsed(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}
