import { FrameType } from '../../../tunnel/wire/codes.ts';
import type { Slots } from '../../../tunnel/wire/documents.ts';
import type { Greeted } from './lab.ts';

/** Whether fewer slots were announced since HELLO than `used` requests took. Not for cases that change limits. */
export function isSlotMissing({ peer }: Greeted, pool: keyof Slots = 'ordinary', used = 1): boolean {
  const announced = peer.all(FrameType.Slots).reduce((sum, { slots }) => sum + slots[pool], 0);
  return announced < used;
}

/** Resolves when as many slots were announced again. */
export async function slotIsBack(session: Greeted, pool: keyof Slots = 'ordinary', used = 1): Promise<void> {
  await session.peer.until('the slot', () => !isSlotMissing(session, pool, used) || undefined);
}
