import type { CommandModule } from 'yargs';
import { type AgentArguments, agentConfig, agentFlags } from '../agent/flags.ts';

/** `clustertunnel agent`: runs beside a target's API server until it is told to stop. */
export const agentCommand: CommandModule<object, AgentArguments> = {
  command: 'agent',
  describe: "Run the agent beside a target's API server",
  builder: (argv) => agentFlags(argv),
  handler: async (given) => {
    const config = agentConfig(given, process.env);
    const { runAgent } = await import('../agent/main.ts');
    await runAgent(config);
  },
};
