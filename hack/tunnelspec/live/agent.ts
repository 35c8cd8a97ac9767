/** `clustertunnel agent`, which ends with whoever started it. */
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { agentCommand } from '../../../cli/agent.ts';

process.stdin.once('end', () => process.exit());
process.stdin.resume();
await yargs(hideBin(process.argv)).command(agentCommand).strict().parseAsync();
