import type { AgentCase } from '../case.ts';
import { connectionCases } from './connection.ts';

/** Every case against an agent, in the order of PROTOCOL.md. */
export const AGENT_CASES: readonly AgentCase[] = [...connectionCases];
