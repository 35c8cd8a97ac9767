import type { AgentCase } from '../case.ts';
import { abuseCases } from './abuse.ts';
import { compressionCases } from './compression.ts';
import { connectionCases } from './connection.ts';
import { creditCases } from './credit.ts';
import { extraCases } from './extras.ts';
import { frameCases } from './frames.ts';
import { takenFrameCases } from './frames-taken.ts';
import { greetingCases } from './greeting.ts';
import { halfCases } from './halves.ts';
import { healthCases } from './health.ts';
import { leavingCases } from './leaving.ts';
import { livenessCases } from './liveness.ts';
import { orderCases } from './order.ts';
import { requestCases } from './requests.ts';
import { streamCases } from './streams.ts';
import { upgradeCases } from './upgrade.ts';
import { versionCases } from './versions.ts';

/** Every case against an agent, in the order of PROTOCOL.md. */
export const AGENT_CASES: readonly AgentCase[] = [
  ...connectionCases,
  ...frameCases,
  ...takenFrameCases,
  ...greetingCases,
  ...streamCases,
  ...halfCases,
  ...upgradeCases,
  ...requestCases,
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
