import { ErrorCode } from '../../../tunnel/wire/codes.ts';
import type { GatewayCase } from '../case.ts';
import { expectStatus } from '../expect.ts';

/** §1. */
export const connectionCases: readonly GatewayCase[] = [
  {
    rule: '1.3',
    title: 'answers 401 to an upgrade without a token',
    run: async (lab) => expectStatus(await lab.dial({ token: null }), 401),
  },
  {
    rule: '1.7',
    title: 'ends the session with PROTOCOL over a text message',
    run: async (lab) => {
      const peer = await lab.agent();
      peer.sendText('{}');
      await peer.expectEnd(ErrorCode.Protocol);
    },
  },
];
