import { readFileSync, statSync } from 'node:fs';
import { describeError } from '../../process/redact.ts';
import type { Entry, Fields } from '../kubeconfig/document.ts';
import { CommandError } from '../output.ts';
import type { Credential } from './exec-credential.ts';
import { type PluginOptions, runPlugin } from './run-plugin.ts';

/** Tokens, certificates and keys are smaller. */
const MAX_FILE_BYTES = 1024 * 1024;

/** The credential of a kubeconfig's user, of whatever kind: read or asked for now. @throws CommandError */
export async function userCredential(user: Entry | undefined, options: PluginOptions): Promise<Credential> {
  if (user === undefined) throw noCredential('the context names no user');
  const { name, fields } = user;
  try {
    const credential = certificate(fields) ?? (await token(fields, options));
    if (credential !== undefined) return credential;
  } catch (error) {
    throw new CommandError({
      what: `the credential of user "${name}" cannot be had`,
      why: describeError(error),
      remedy: 'see that `kubectl --context <hub> get ct` works',
    });
  }
  const isProvider = fields['auth-provider'] !== undefined;
  throw noCredential(
    isProvider
      ? `user "${name}" has an auth-provider: kubectl knows none since 1.26`
      : `user "${name}" has no token, plugin or client certificate`,
  );
}

/** Before a token, as the gateway and the API server take them. */
function certificate(fields: Fields): Credential | undefined {
  const cert = dataOrFile(fields, 'client-certificate');
  const key = dataOrFile(fields, 'client-key');
  return cert === undefined || key === undefined ? undefined : { clientCertificateData: cert, clientKeyData: key };
}

async function token(fields: Fields, options: PluginOptions): Promise<Credential | undefined> {
  const { token: said, tokenFile, exec } = fields;
  // The file first: client-go rereads it, and what stands beside it is what it once held.
  if (typeof tokenFile === 'string' && tokenFile !== '') return { token: readBounded(tokenFile).trim() };
  if (typeof said === 'string' && said !== '') return { token: said };
  return typeof exec === 'object' && exec !== null ? runPlugin(exec as Fields, options) : undefined;
}

function dataOrFile(fields: Fields, name: string): string | undefined {
  const data = fields[`${name}-data`];
  if (typeof data === 'string' && data !== '') return Buffer.from(data, 'base64').toString('utf8');
  const path = fields[name];
  return typeof path === 'string' && path !== '' ? readBounded(path) : undefined;
}

function readBounded(path: string): string {
  if (statSync(path).size > MAX_FILE_BYTES) throw new Error(`${path} has more than ${MAX_FILE_BYTES} bytes`);
  return readFileSync(path, 'utf8');
}

function noCredential(why: string): CommandError {
  return new CommandError({
    what: 'the hub has no credential to hand on',
    why,
    remedy: 'name another context with --context, or a service account with --service-account NAMESPACE/NAME',
  });
}
