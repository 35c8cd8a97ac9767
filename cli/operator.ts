import type { Argv, CommandModule } from 'yargs';
import { operatorConfig, operatorFlags } from '../operator/flags.ts';

type Flags = ReturnType<typeof operatorFlags> extends Argv<infer F> ? F : never;

/** `clustertunnel operator`: runs in the hub until it is told to stop. */
export const operatorCommand: CommandModule<object, Flags> = {
  command: 'operator',
  describe: 'Run the operator in the hub cluster (controller and gateway)',
  builder: (argv) => operatorFlags(argv, process.env),
  handler: async (given) => {
    const config = operatorConfig(given as Parameters<typeof operatorConfig>[0], process.env);
    const { runOperator } = await import('../operator/main.ts');
    await runOperator(config);
  },
};
