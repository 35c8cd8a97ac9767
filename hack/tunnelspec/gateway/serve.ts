import { expectStatus } from '../expect.ts';
import type { RawPeer } from '../peer.ts';
import type { GatewayLab } from './lab.ts';
import { emptyAnswer, slots } from './words.ts';

/**
 * One more request, from a client and back to it. Shows that the session serves, and that what came before has been handled;
 * unlike PING it has no budget.
 */
export async function serve(lab: GatewayLab, peer: RawPeer): Promise<void> {
  const { call, open } = await lab.opened(peer);
  peer.send(emptyAnswer(open.streamId), slots(1));
  expectStatus(await call.answer(), 200);
}
