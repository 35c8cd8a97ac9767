import type { Argv } from 'yargs';

/** Flags of every command that speaks to the hub. */
export interface HubFlags {
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  readonly 'operator-namespace': string;
}

/** Adds --kubeconfig, --context and --operator-namespace. */
export function hubFlags<T>(argv: Argv<T>): Argv<T & HubFlags> {
  return argv
    .option('kubeconfig', { type: 'string', describe: "Path of the hub's kubeconfig (default: as kubectl finds it)" })
    .option('context', { type: 'string', describe: "The hub's context in it (default: the current one)" })
    .option('operator-namespace', {
      type: 'string',
      default: 'clustertunnel-system',
      describe: 'Namespace of the operator',
    });
}
