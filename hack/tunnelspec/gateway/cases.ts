import type { GatewayCase } from '../case.ts';
import { abuseCases } from './abuse.ts';
import { answerCases } from './answers.ts';
import { compressionCases } from './compression.ts';
import { connectionCases } from './connection.ts';
import { creditCases } from './credit.ts';
import { extraCases } from './extras.ts';
import { frameCases } from './frames.ts';
import { greetingCases } from './greeting.ts';
import { healthCases } from './health.ts';
import { leavingCases } from './leaving.ts';
import { livenessCases } from './liveness.ts';
import { orderCases } from './order.ts';
import { streamCases } from './streams.ts';
import { successorCases } from './successors.ts';
import { upgradeCases } from './upgrades.ts';
import { versionCases } from './versions.ts';

/** Every case against a gateway, in the order of PROTOCOL.md. */
export const GATEWAY_CASES: readonly GatewayCase[] = [
  ...connectionCases,
  ...frameCases,
  ...greetingCases,
  ...successorCases,
  ...streamCases,
  ...answerCases,
  ...upgradeCases,
  ...compressionCases,
  ...extraCases,
  ...creditCases,
  ...orderCases,
  ...leavingCases,
  ...healthCases,
  ...livenessCases,
  ...abuseCases,
  ...versionCases,
];
