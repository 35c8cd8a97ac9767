import { CommandError } from '../output.ts';

/** What an exec plugin says. Source: k8s.io/client-go pkg/apis/clientauthentication/v1. */
export interface Credential {
  readonly token?: string;
  readonly clientCertificateData?: string;
  readonly clientKeyData?: string;
  /** RFC 3339; without it the credential holds until it is refused. */
  readonly expirationTimestamp?: string;
}

const GROUP = 'client.authentication.k8s.io';
const SERVED = [`${GROUP}/v1`, `${GROUP}/v1beta1`];

/**
 * The version in which kubectl wants its answer, by KUBERNETES_EXEC_INFO; v1 for who runs the command by hand.
 * @throws CommandError for one that nobody speaks any more
 */
export function askedVersion(env: NodeJS.ProcessEnv): string {
  const text = env['KUBERNETES_EXEC_INFO'];
  const asked = text === undefined ? `${GROUP}/v1` : parsed(text)['apiVersion'];
  if (typeof asked === 'string' && SERVED.includes(asked)) return asked;
  throw new CommandError({
    what: 'KUBERNETES_EXEC_INFO asks for a credential in a version that is not served',
    why: `apiVersion is ${JSON.stringify(asked)}`,
    remedy: `make the kubeconfig again with clustertunnel kubeconfig --exec: it asks for ${GROUP}/v1`,
  });
}

/** An ExecCredential as text. */
export function execCredential(apiVersion: string, status: Credential): string {
  return `${JSON.stringify({ apiVersion, kind: 'ExecCredential', status })}\n`;
}

/** What another plugin printed. @throws Error that says what is wrong with it, and never what it holds */
export function credentialIn(text: string): Credential {
  const status = parsed(text)['status'];
  if (typeof status !== 'object' || status === null) throw new Error('it printed no ExecCredential with a status');
  const { token, clientCertificateData, clientKeyData, expirationTimestamp } = status as Record<string, unknown>;
  const given = { token, clientCertificateData, clientKeyData, expirationTimestamp };
  const said = Object.entries(given).filter(([, value]) => value !== undefined && value !== null && value !== '');
  const strange = said.find(([, value]) => typeof value !== 'string');
  if (strange !== undefined) throw new Error(`status.${strange[0]} of what it printed is no text`);
  const credential: Credential = Object.fromEntries(said);
  const isPair = credential.clientCertificateData !== undefined && credential.clientKeyData !== undefined;
  if (credential.token === undefined && !isPair) {
    throw new Error('what it printed has neither status.token nor a client certificate with its key');
  }
  return credential;
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Its text may be secret.
  }
  throw new Error('it is no JSON object');
}
