import type { CommandModule } from 'yargs';
import type { CredentialFlags } from './credential/make.ts';
import { hubFlags } from './hub-flags.ts';
import { print } from './output.ts';

/** `clustertunnel credential`: the exec plugin of kubeconfigs that `clustertunnel kubeconfig --exec` makes. */
export const credentialCommand: CommandModule<object, CredentialFlags> = {
  command: 'credential',
  describe: 'Print a credential of the hub, as an exec plugin of kubectl (client.authentication.k8s.io/v1)',
  builder: (argv) =>
    hubFlags(argv)
      .option('service-account', {
        type: 'string',
        requiresArg: true,
        describe: 'NAMESPACE/NAME: mint a token of it for an hour, instead of handing on your own credential',
      })
      .option('audience', {
        type: 'string',
        array: true,
        nargs: 1,
        default: [] as string[],
        describe: "Of that token, may be repeated (default: the hub's API server)",
      })
      .example('$0 credential --context hub', 'What kubectl runs for a kubeconfig made with --exec'),
  handler: async (given) => {
    const { makeCredential } = await import('./credential/make.ts');
    print(await makeCredential(given, { env: process.env, isTerminal: process.stdin.isTTY === true }));
  },
};
