import { withHub } from '../cluster.ts';
import type { HubFlags } from '../hub-flags.ts';
import { askedVersion, execCredential } from './exec-credential.ts';
import { serviceAccountName, serviceAccountToken } from './service-account.ts';
import { userCredential } from './user-credential.ts';

export interface CredentialFlags extends HubFlags {
  readonly 'service-account': string | undefined;
  readonly audience: readonly string[];
}

/** The ExecCredential that kubectl asks for. @throws CommandError */
export function makeCredential(
  flags: CredentialFlags,
  { env, isTerminal }: { readonly env: NodeJS.ProcessEnv; readonly isTerminal: boolean },
): Promise<string> {
  const version = askedVersion(env);
  const { 'service-account': account, audience: audiences } = flags;
  return withHub(
    flags,
    async (client, signal, { user, cluster }) => {
      const credential =
        account === undefined
          ? await userCredential(user, { env, isInteractive: isTerminal, cluster })
          : await serviceAccountToken(client, { ...serviceAccountName(account), audiences }, signal);
      return execCredential(version, credential);
    },
    env,
  );
}
