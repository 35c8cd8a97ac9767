import type { SlotPool } from '../../../tunnel/session/gateway-session.ts';
import type { Absence } from './absence.ts';
import type { WaitingRoom } from './waiting.ts';

/** Who waits for a tunnel's workers, by pool. */
export interface Rooms extends Readonly<Record<SlotPool, WaitingRoom>> {
  /** How the tunnel was when the deadlines of who waits were read last. */
  presence: Presence;
}

export type Presence = Pick<Absence, 'isConnected' | 'awaySinceMs'>;

/** How many wait. */
export function sizeOf({ ordinary, longRunning }: Rooms): number {
  return ordinary.size + longRunning.size;
}
