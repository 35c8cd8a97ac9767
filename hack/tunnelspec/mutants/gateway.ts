import { gatewayConnectionMutants } from './gateway-connection.ts';
import { gatewayFlowMutants } from './gateway-flow.ts';
import { gatewayLifeMutants } from './gateway-life.ts';
import { gatewayStreamMutants } from './gateway-streams.ts';
import type { Mutant } from './mutant.ts';

/** For each rule that a gateway keeps one at least. */
export const GATEWAY_MUTANTS: readonly Mutant[] = [
  ...gatewayConnectionMutants,
  ...gatewayStreamMutants,
  ...gatewayFlowMutants,
  ...gatewayLifeMutants,
];
