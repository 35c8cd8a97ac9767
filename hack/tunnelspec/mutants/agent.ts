import { agentConnectionMutants } from './agent-connection.ts';
import { agentFlowMutants } from './agent-flow.ts';
import { agentLifeMutants } from './agent-life.ts';
import { agentStreamMutants } from './agent-streams.ts';
import type { Mutant } from './mutant.ts';

/** For each rule that an agent keeps one at least. */
export const AGENT_MUTANTS: readonly Mutant[] = [
  ...agentConnectionMutants,
  ...agentStreamMutants,
  ...agentFlowMutants,
  ...agentLifeMutants,
];
