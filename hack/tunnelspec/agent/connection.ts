import { ErrorCode } from '../../../tunnel/wire/codes.ts';
import type { AgentCase } from '../case.ts';

/** §1. */
export const connectionCases: readonly AgentCase[] = [
  {
    rule: '1.7',
    title: 'ends the session with PROTOCOL over a text message',
    run: async (lab) => {
      const { peer } = await lab.session();
      peer.sendText('{}');
      await peer.expectEnd(ErrorCode.Protocol);
    },
  },
];
