import type { CommandModule } from 'yargs';
import { type HubFlags, hubFlags } from './hub-flags.ts';
import { print } from './output.ts';

interface ManifestFlags extends HubFlags {
  readonly name: string;
}

/** `clustertunnel manifest <name>`: what to apply at a cluster that the operator cannot reach. */
export const manifestCommand: CommandModule<object, ManifestFlags> = {
  command: 'manifest <name>',
  describe: 'Print the manifest of the agent of a Manual tunnel, with a new token',
  builder: (argv) =>
    hubFlags(argv)
      .positional('name', { type: 'string', demandOption: true, describe: 'Name of the ClusterTunnel' })
      .example('$0 manifest prod | kubectl --context prod apply -f -', 'Deploy the agent'),
  handler: async (flags) => {
    const { name, 'operator-namespace': namespace } = flags;
    // Loaded now, not at start: the agent is the same program and must not carry the Kubernetes client.
    const [{ withHub }, { renderManifest }] = await Promise.all([
      import('./cluster.ts'),
      import('./render-manifest.ts'),
    ]);
    print(await withHub(flags, (client, signal) => renderManifest(client, { name, namespace }, signal)));
  },
};
