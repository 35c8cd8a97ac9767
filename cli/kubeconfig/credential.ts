import { CommandError } from '../output.ts';
import type { Entry, Fields } from './document.ts';

/** Fields of a user that are, or lead to, a bearer token or a client certificate. */
const CREDENTIAL_FIELDS = [
  ...['token', 'tokenFile', 'exec', 'auth-provider', 'client-certificate', 'client-certificate-data'],
];

/** Values that nobody but the user may see. */
const SECRET_FIELDS = ['token', 'password', 'client-key-data'];
const REDACTED = 'REDACTED';

/**
 * Demands that the gateway takes this user's credential: bearer tokens, whatever they come from, and client certificates.
 * @throws CommandError that says which remedy there is
 */
export function demandCredential({ name, fields }: Entry, tunnel: string): void {
  const why = refusal(name, fields);
  if (why === undefined) return;
  throw new CommandError({
    what: "the gateway does not accept this user's credential",
    why,
    remedy: `give a token: \`kubectl create token <service account> | clustertunnel kubeconfig ${tunnel} --token-file -\`, or --token TOKEN`,
  });
}

function refusal(name: string, fields: Fields): string | undefined {
  if (CREDENTIAL_FIELDS.some((field) => isSet(fields[field]))) return undefined;
  if (isSet(fields['username'])) return `user "${name}" of the kubeconfig has a password, not a token or a certificate`;
  return `user "${name}" of the kubeconfig has no credential at all`;
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}

/** The user as it may be shown: no token, key, password, nor anything that is handed to a plugin. */
export function redactedUser(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, redactedField(key, value)]));
}

function redactedField(key: string, value: unknown): unknown {
  if (SECRET_FIELDS.includes(key)) return REDACTED;
  if (typeof value !== 'object' || value === null) return value;
  if (key === 'exec') return redactedExec(value as Fields);
  if (key !== 'auth-provider') return value;
  const { config, ...rest } = value as Fields;
  return config === undefined ? rest : { ...rest, config: REDACTED };
}

function redactedExec({ args, env, ...rest }: Fields): Fields {
  return {
    ...rest,
    ...(args === undefined ? {} : { args: REDACTED }),
    ...(env === undefined ? {} : { env: REDACTED }),
  };
}
