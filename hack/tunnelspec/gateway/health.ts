import { FrameType } from '../../../tunnel/wire/codes.ts';
import type { GatewayCase } from '../case.ts';
import { expectEqual, expectThat } from '../expect.ts';

/** §8. */
export const healthCases: readonly GatewayCase[] = [
  {
    rule: '8.1',
    title: 'sends CONFIG after WELCOME',
    run: async (lab) => {
      const peer = await lab.connect();
      peer.send(lab.hello());
      const config = await peer.next(FrameType.Config);
      const [welcome] = peer.all(FrameType.Welcome);
      expectThat(
        'WELCOME before CONFIG',
        welcome !== undefined && peer.heard.indexOf(welcome) < peer.heard.indexOf(config),
      );
      expectEqual('the kind of generation', typeof config.document['generation'], 'number');
      expectEqual('the kind of tunnelUid', typeof config.document['tunnelUid'], 'string');
    },
  },
];
