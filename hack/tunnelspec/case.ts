import type { AgentLab } from './agent/lab.ts';
import type { GatewayLab } from './gateway/lab.ts';

/** One check of one rule against a live peer. It fails by throwing; the message says what was expected and what came. */
export interface Case<Lab> {
  /** Number in PROTOCOL.md. Several cases may check one rule. */
  readonly rule: string;
  /** What the peer does, as a sentence without subject: "ends the session with PROTOCOL over a text message". */
  readonly title: string;
  /** Waits for the peer's timers: begun first, beside the others. */
  readonly isSlow?: boolean;
  readonly run: (lab: Lab) => Promise<void>;
}

export type GatewayCase = Case<GatewayLab>;
export type AgentCase = Case<AgentLab>;

/** A case that this peer cannot be asked: what it lacks is named, and the case counts as skipped. */
export class Skipped extends Error {
  override readonly name = 'Skipped';
}
