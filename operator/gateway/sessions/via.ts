import type { Sent } from './stream-fault.ts';

/** In the head of an answer that did not come through the tunnel. No target can say it: see `crossing`. */
const VIA_FALLBACK = ['x-clustertunnel-via', 'fallback'] as const;

/** How an answer came, where that is worth saying. */
export function viaOf({ isDirect = false }: Pick<Sent, 'isDirect'>): readonly string[] {
  return isDirect ? VIA_FALLBACK : [];
}
