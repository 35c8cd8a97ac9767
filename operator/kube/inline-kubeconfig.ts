import { createHmac } from 'node:crypto';
import { isIP } from 'node:net';
import { isTakenByTls, pairTrouble, type Read, readCertificates, readKey, readToken } from './inline-credentials.ts';
import { fieldOf, isMapping, type Mapping, yamlMapping } from './yaml-mapping.ts';

/** What a kubeconfig says of one cluster and one user: all that a client needs, with nothing outside of it. */
export interface InlineKubeconfig {
  /** https, without credentials, query and trailing slash. */
  readonly server: string;
  /** PEM; undefined: the authorities that this system trusts. */
  readonly caPem: string | undefined;
  /** The name in the server's certificate, where it is not the URL's. */
  readonly tlsServerName: string | undefined;
  readonly token: string | undefined;
  /** PEM, both or none. */
  readonly certificatePem: string | undefined;
  readonly keyPem: string | undefined;
}

/** Our own words and the names of fields: nothing of what a field holds, since it may be a secret. */
export type KubeconfigVerdict = { readonly kubeconfig: InlineKubeconfig } | { readonly trouble: string };

const MAX_SERVER_LENGTH = 2_048;
const INLINE = 'use a token, or client-certificate-data and client-key-data';
const FLATTEN = '`kubectl config view --raw --flatten` does that';

/** What the operator does not do for a kubeconfig, in the order in which it is told. */
const REFUSED_OF_USERS: Readonly<Record<string, string>> = {
  exec: `exec plugins are not run by the operator: ${INLINE}`,
  'auth-provider': `auth providers are not run by the operator: ${INLINE}`,
  tokenFile: 'files are not read by the operator: put the token itself under token',
  'token-file': 'files are not read by the operator: put the token itself under token',
  'client-certificate': `files are not read by the operator: put it into client-certificate-data (${FLATTEN})`,
  'client-key': `files are not read by the operator: put it into client-key-data (${FLATTEN})`,
  username: `API servers know no passwords any more: ${INLINE}`,
  password: `API servers know no passwords any more: ${INLINE}`,
  as: 'the operator does not impersonate: give it a credential that has the rights itself',
  'as-uid': 'the operator does not impersonate: give it a credential that has the rights itself',
  'as-groups': 'the operator does not impersonate: give it a credential that has the rights itself',
  'as-user-extra': 'the operator does not impersonate: give it a credential that has the rights itself',
};
const REFUSED_OF_CLUSTERS: Readonly<Record<string, string>> = {
  'insecure-skip-tls-verify': 'the API server must be verified: put its CA into certificate-authority-data',
  'certificate-authority': `files are not read by the operator: put it into certificate-authority-data (${FLATTEN})`,
  'proxy-url': 'the operator uses no proxy: it must reach the API server directly',
};

/**
 * What the current context of a kubeconfig names, if it can be used with nothing but the text itself: no program, no file,
 * no proxy, no unverified TLS. Else the first trouble, with the field's path as written. Other contexts are not judged.
 * Without certificate-authority-data the system's authorities decide: a private API server then fails TLS, and says so.
 */
export function parseInlineKubeconfig(text: string): KubeconfigVerdict {
  const parsed = yamlMapping(text);
  if ('trouble' in parsed) return parsed;
  try {
    return { kubeconfig: kubeconfigIn(parsed.mapping) };
  } catch (error) {
    if (error instanceof Trouble) return { trouble: error.message };
    throw error;
  }
}

/** The same for kubeconfigs that say the same; the key keeps short tokens from being guessed from it. */
export function digestOf(kubeconfig: InlineKubeconfig, key: Uint8Array): string {
  const { server, caPem, tlsServerName, token, certificatePem, keyPem } = kubeconfig;
  const facts = [server, caPem, tlsServerName, token, certificatePem, keyPem].map((fact) => fact ?? null);
  return createHmac('sha256', key).update(JSON.stringify(facts)).digest('hex').slice(0, 32);
}

/** Ends the judgement; never leaves this file. */
class Trouble extends Error {}

function refuse(path: string, why: string): never {
  throw new Trouble(`${path}: ${why}`);
}

function kubeconfigIn(root: Mapping): InlineKubeconfig {
  const current = nameAt(root, 'current-context', 'current-context');
  const context = entryNamed(root, 'contexts', 'context', current, 'current-context');
  const clusterName = nameAt(context.fields, 'cluster', `${context.path}.cluster`);
  const userName = nameAt(context.fields, 'user', `${context.path}.user`);
  const cluster = entryNamed(root, 'clusters', 'cluster', clusterName, `${context.path}.cluster`);
  const user = entryNamed(root, 'users', 'user', userName, `${context.path}.user`);
  refuseFields(cluster, REFUSED_OF_CLUSTERS);
  refuseFields(user, REFUSED_OF_USERS);
  return { ...clusterFacts(cluster), ...userFacts(user) };
}

interface Entry {
  /** As written: `users[0].user`. */
  readonly path: string;
  readonly fields: Mapping;
}

function nameAt(mapping: Mapping, field: string, path: string): string {
  const name = fieldOf(mapping, field);
  if (!isSet(name)) refuse(path, 'is missing');
  return typeof name === 'string' ? name : refuse(path, 'must be text: put it in quotes');
}

/** The first entry with this name, as kubectl takes it. */
function entryNamed(root: Mapping, list: string, kind: string, name: string, namedAt: string): Entry {
  const entries = fieldOf(root, list);
  if (!isSet(entries)) refuse(list, 'is missing');
  if (!Array.isArray(entries)) refuse(list, 'must be a list');
  const index = entries.findIndex((each) => isMapping(each) && fieldOf(each, 'name') === name);
  if (index < 0) refuse(namedAt, `no entry of ${list} has this name`);
  const path = `${list}[${index}].${kind}`;
  const fields = fieldOf(entries[index] as Mapping, kind);
  return isMapping(fields) ? { path, fields } : refuse(path, isSet(fields) ? 'must be a mapping' : 'is missing');
}

function refuseFields({ path, fields }: Entry, refused: Readonly<Record<string, string>>): void {
  for (const [field, why] of Object.entries(refused)) {
    if (isSet(fieldOf(fields, field))) refuse(`${path}.${field}`, why);
  }
}

/** kubectl writes some fields empty: that is as good as not there. */
function isSet(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (isMapping(value)) return Object.keys(value).length > 0;
  return value !== undefined && value !== null && value !== '' && value !== false;
}

function clusterFacts({ path, fields }: Entry) {
  const at = (field: string) => `${path}.${field}`;
  const caPem = optional(fields, 'certificate-authority-data', path, readCertificates);
  if (caPem !== undefined && !isTakenByTls({ ca: caPem })) {
    refuse(at('certificate-authority-data'), 'is refused by TLS');
  }
  return {
    server: serverIn(nameAt(fields, 'server', at('server')), at('server')),
    caPem,
    tlsServerName: optional(fields, 'tls-server-name', path, readTlsServerName),
  };
}

function userFacts({ path, fields }: Entry) {
  const token = optional(fields, 'token', path, readToken);
  const certificatePem = optional(fields, 'client-certificate-data', path, readCertificates);
  const keyPem = optional(fields, 'client-key-data', path, readKey);
  if (certificatePem !== undefined && keyPem === undefined) refuse(`${path}.client-key-data`, 'is missing');
  if (certificatePem === undefined && keyPem !== undefined) refuse(`${path}.client-certificate-data`, 'is missing');
  if (certificatePem !== undefined && keyPem !== undefined) {
    const trouble = pairTrouble(certificatePem, keyPem);
    if (trouble !== undefined) refuse(`${path}.client-certificate-data`, trouble);
  }
  if (token === undefined && certificatePem === undefined) refuse(path, `holds no credential: ${INLINE}`);
  return { token, certificatePem, keyPem };
}

function optional(fields: Mapping, field: string, path: string, read: (value: unknown) => Read<string>) {
  const value = fieldOf(fields, field);
  if (!isSet(value)) return undefined;
  const result = read(value);
  return 'value' in result ? result.value : refuse(`${path}.${field}`, result.trouble);
}

function readTlsServerName(value: unknown): Read<string> {
  const isName =
    typeof value === 'string' && value.length <= 253 && /^[A-Za-z0-9._-]+$/.test(value) && isIP(value) === 0;
  return isName ? { value } : { trouble: 'must be a DNS name' };
}

/** The URL in one spelling. A path may follow: some API servers stand below one. */
function serverIn(text: string, path: string): string {
  const isPlain = text.length <= MAX_SERVER_LENGTH && /^[\x21-\x5b\x5d-\x7e]+$/.test(text) && URL.canParse(text);
  if (!isPlain) refuse(path, 'must be a URL, for example https://203.0.113.7:6443');
  const url = new URL(text);
  if (url.protocol !== 'https:') refuse(path, 'must be an https:// URL');
  if (/^https:\/*[^/]*@/i.test(text)) refuse(path, 'must hold no user and no password');
  if (/[?#]/.test(text)) refuse(path, 'must hold no query and no fragment');
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}
