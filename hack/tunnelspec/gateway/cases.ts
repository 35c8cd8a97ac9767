import type { GatewayCase } from '../case.ts';
import { connectionCases } from './connection.ts';

/** Every case against a gateway, in the order of PROTOCOL.md. */
export const GATEWAY_CASES: readonly GatewayCase[] = [...connectionCases];
