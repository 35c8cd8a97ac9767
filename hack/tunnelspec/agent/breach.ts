import { type ErrorCode, nameOf } from '../../../tunnel/wire/codes.ts';
import type { AgentCase } from '../case.ts';

/** What must end the session. Given the id of an open stream, whose request has not ended. */
export type Breach = (streamId: number) => Uint8Array;

/** A case for each: a session that is in order but for this one message. The key completes "ends the session over …". */
export function breaches(rule: string, code: ErrorCode, messages: Readonly<Record<string, Breach>>): AgentCase[] {
  return Object.entries(messages).map(([what, message]) => ({
    rule,
    title: `ends the session with ${nameOf(code)} over ${what}`,
    run: async (lab) => {
      const { peer } = await lab.session();
      const open = lab.open(peer, { method: 'POST' }, false);
      peer.send(open);
      peer.sendBytes(message(open.streamId));
      await peer.expectEndAtOnce(code);
    },
  }));
}
