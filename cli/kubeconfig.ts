import type { Argv, CommandModule } from 'yargs';
import { hubFlags } from './hub-flags.ts';
import type { KubeconfigFlags } from './kubeconfig/make.ts';
import { print } from './output.ts';

/** `clustertunnel kubeconfig <name>`: what kubectl needs to go through a tunnel. */
export const kubeconfigCommand: CommandModule<object, KubeconfigFlags> = {
  command: 'kubeconfig <name>',
  describe: 'Print the kubeconfig of a tunnel, or merge it into one',
  builder: (argv) => flags(hubFlags(argv)),
  handler: async (given) => {
    // Loaded now, not at start: the agent is the same program and must not carry the Kubernetes client.
    const { makeKubeconfig } = await import('./kubeconfig/make.ts');
    const { stdout, stderr } = await makeKubeconfig(given, { env: process.env, stdin: process.stdin });
    print(stdout);
    process.stderr.write(stderr);
  },
};

function flags<T>(argv: Argv<T>) {
  return argv
    .positional('name', { type: 'string', demandOption: true, describe: 'Name of the ClusterTunnel' })
    .option('set-context-name', {
      type: 'string',
      requiresArg: true,
      describe: 'Name of the context, cluster and user (default: the name of the tunnel)',
    })
    .option('token', {
      type: 'string',
      requiresArg: true,
      describe: 'Bearer token of the hub; others on this machine see it in `ps`',
    })
    .option('token-file', { type: 'string', nargs: 1, describe: 'File with the token; - reads stdin' })
    .option('exec', {
      type: 'boolean',
      describe: 'Copy no credential: `clustertunnel credential` asks for that of the hub at each use',
    })
    .option('service-account', {
      type: 'string',
      requiresArg: true,
      describe: 'NAMESPACE/NAME in the hub: with --exec, mint tokens of it, each for an hour',
    })
    .option('write', {
      type: 'boolean',
      describe: 'Merge it into the file that kubectl writes: of $KUBECONFIG, or ~/.kube/config',
    })
    .option('output', { alias: 'o', type: 'string', requiresArg: true, describe: 'Merge it into this file' })
    .option('use', { type: 'boolean', default: false, describe: 'Make it the current context' })
    .option('force', {
      type: 'boolean',
      default: false,
      describe: 'Replace entries of the same name that lead elsewhere',
    })
    .option('dry-run', {
      type: 'boolean',
      default: false,
      describe: 'Write nothing; print the entries without secrets',
    })
    .conflicts('write', 'output')
    .conflicts('token', 'token-file')
    .conflicts('exec', ['token', 'token-file'])
    .conflicts('service-account', ['token', 'token-file'])
    .example('$0 kubeconfig prod --write', 'Then: kubectl --context prod get pods')
    .example('$0 kubeconfig prod --exec --write', 'Nothing secret in the file, nothing that runs out')
    .example('kubectl create token ci | $0 kubeconfig prod --token-file - -o ci.kubeconfig', 'For a service account');
}
