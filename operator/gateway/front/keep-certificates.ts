import type { Clock } from '../../../process/clock.ts';
import type { Logger } from '../../../process/log.ts';
import { issueAuthority, issueServing, isWhole, type KeyPair, renewalReason, servingNames } from './certificates.ts';

/** Secrets of the operator's namespace, as this needs them. Values are plain text, not base64. */
export interface SecretShelf {
  /** undefined: there is none. */
  read(name: string): Promise<Readonly<Record<string, string>> | undefined>;
  /** False: somebody else made it first. */
  create(name: string, type: string, data: Readonly<Record<string, string>>): Promise<boolean>;
  replace(name: string, type: string, data: Readonly<Record<string, string>>): Promise<void>;
}

export interface KeepOptions {
  readonly shelf: SecretShelf;
  readonly externalUrl: string;
  readonly namespace: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface KeptCertificates {
  readonly authority: KeyPair;
  readonly serving: KeyPair;
}

export const AUTHORITY_SECRET = 'clustertunnel-ca';
export const SERVING_SECRET = 'clustertunnel-gateway-tls';
const TLS_TYPE = 'kubernetes.io/tls';
/** Certificates are looked at this often; serving ones live for 90 days. */
const CHECK_EVERY_MS = 12 * 60 * 60 * 1000;
/** A look that failed is repeated: until it succeeds, nobody knows what the Secrets hold. */
const RETRY_MS = 60_000;
/** Both Secrets may change, one after the other. */
const SOON_MS = 500;

/** The authority and the serving certificate: read, made when missing, renewed when due. Safe to call again, by several replicas. */
export async function keepCertificates(options: KeepOptions): Promise<KeptCertificates> {
  const authority = await keepAuthority(options);
  return { authority, serving: await keepServing(options, authority) };
}

export interface Renewal {
  /** One of the two Secrets changed: looks at them in a moment. */
  readonly soon: () => void;
  readonly stop: () => void;
}

/** Looks at both twice a day, and when told, and hands them over, the authority too: it may have been replaced. */
export function renewCertificates(options: KeepOptions, onKept: (kept: KeptCertificates) => void): Renewal {
  const { clock, log } = options;
  let isStopped = false;
  let isLooking = false;
  let isDue = false;
  let cancel = () => {};
  const arm = (delayMs: number) => {
    cancel();
    if (!isStopped) cancel = clock.after(delayMs, look);
  };
  const look = () => {
    isLooking = true;
    isDue = false;
    let nextMs = CHECK_EVERY_MS;
    keepCertificates(options)
      .then((kept) => {
        if (!isStopped) onKept(kept);
      })
      .catch((error: unknown) => {
        nextMs = RETRY_MS;
        log.warn('certificates not checked', { error });
      })
      .finally(() => {
        isLooking = false;
        arm(isDue ? SOON_MS : nextMs);
      });
  };
  arm(CHECK_EVERY_MS);
  return {
    soon: () => {
      if (isLooking) isDue = true;
      else arm(SOON_MS);
    },
    stop: () => {
      isStopped = true;
      cancel();
    },
  };
}

async function keepAuthority({ shelf, clock, log }: KeepOptions): Promise<KeyPair> {
  const kept = await shelf.read(AUTHORITY_SECRET);
  if (kept !== undefined) return authorityIn(kept);
  const made = await issueAuthority(clock.date());
  if (await shelf.create(AUTHORITY_SECRET, TLS_TYPE, dataOf(made))) {
    log.info('certificate authority created', { object: `Secret ${AUTHORITY_SECRET}` });
    return made;
  }
  return authorityIn(await shelf.read(AUTHORITY_SECRET));
}

/** A damaged authority is never replaced unasked: every agent trusts it. */
function authorityIn(data: Readonly<Record<string, string>> | undefined): KeyPair {
  const kept = keyPairIn(data);
  if (kept !== undefined && isWhole(kept)) return kept;
  const what = 'holds no certificate in tls.crt with its private key in tls.key';
  throw new Error(`Secret ${AUTHORITY_SECRET} ${what}: restore it, or delete it to get a new authority`);
}

async function keepServing(
  { shelf, externalUrl, namespace, clock, log }: KeepOptions,
  authority: KeyPair,
): Promise<KeyPair> {
  const names = servingNames(externalUrl, namespace);
  const kept = keyPairIn(await shelf.read(SERVING_SECRET));
  const reason = kept === undefined ? 'there is none' : renewalReason(kept, authority, names, clock.date());
  if (kept !== undefined && reason === undefined) return kept;
  const made = await issueServing(authority, names, clock.date());
  await shelf.replace(SERVING_SECRET, TLS_TYPE, dataOf(made));
  log.info('serving certificate issued', { object: `Secret ${SERVING_SECRET}`, reason, names });
  return made;
}

function keyPairIn(data: Readonly<Record<string, string>> | undefined): KeyPair | undefined {
  const cert = data?.['tls.crt'];
  const key = data?.['tls.key'];
  return cert && key ? { cert, key } : undefined;
}

function dataOf({ cert, key }: KeyPair): Record<string, string> {
  return { 'tls.crt': cert, 'tls.key': key };
}
