import { FrameType } from '../../../tunnel/wire/codes.ts';
import type { AgentCase } from '../case.ts';
import { expectEqual } from '../expect.ts';
import { goaway, reset } from '../gateway/words.ts';

/** Of a newer version. */
const UNKNOWN_CODE = 4_711;

/** §11. */
export const versionCases: readonly AgentCase[] = [
  {
    rule: '11.2',
    title: 'ends no more than its stream over a RESET with an unknown code',
    run: async (lab) => {
      const { peer } = await lab.session();
      const [one, other] = [await lab.request(peer), await lab.request(peer)];
      peer.send(reset(one.id, UNKNOWN_CODE, 'later'));
      expectEqual('the request at the upstream', await one.asked.closed, 'aborted');
      other.asked.response.end('{}');
      await peer.next(FrameType.Data, ({ streamId, isEnd }) => streamId === other.id && isEnd);
      await peer.expectAlive();
    },
  },
  {
    rule: '11.2',
    title: 'serves its streams after a GOAWAY with an unknown code',
    run: async (lab) => {
      const { peer } = await lab.session();
      const { id, asked } = await lab.request(peer);
      peer.send(goaway(id, { code: UNKNOWN_CODE }));
      await peer.expectAlive();
      asked.response.end('{}');
      await peer.next(FrameType.Data, ({ streamId, isEnd }) => streamId === id && isEnd);
    },
  },
];
