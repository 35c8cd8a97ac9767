import { FrameType } from '../../../tunnel/wire/codes.ts';
import type { GatewayCase } from '../case.ts';
import { expectEqual, expectThat } from '../expect.ts';
import { serve } from './serve.ts';
import { emptyAnswer, goaway, refused, reset } from './words.ts';

const LATER_CODE = 4_711;

/** §11. */
export const versionCases: readonly GatewayCase[] = [
  {
    rule: '11.1',
    title: 'ignores versions, features and members of HELLO that it does not know',
    run: async (lab) => {
      const peer = await lab.connect();
      const later = { versions: [2 ** 31, 2, 1, 0], features: ['teleport', ''], moon: { phase: [1, null] } };
      peer.send(lab.hello(later));
      const { document } = await peer.next(FrameType.Welcome);
      expectEqual('the version', document['version'], 1);
      expectEqual('the features', JSON.stringify(document['features']), '[]');
      await serve(lab, peer);
    },
  },
  {
    rule: '11.2',
    title: 'ends only the stream over RESET with a code that it does not know',
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer);
      peer.send(reset(open.streamId, LATER_CODE, 'later'));
      const { status } = await call.answer();
      expectThat('an error', status >= 500, status);
      await serve(lab, peer);
    },
  },
  {
    rule: '11.2',
    title: 'ends only the stream over REFUSED with a code that it does not know',
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer, { method: 'POST' });
      peer.send(refused(open.streamId, LATER_CODE, 'later'));
      const { status, headers } = await call.answer();
      expectThat('an error', status >= 400, status);
      expectThat('Retry-After, which promises that nothing ran', headers['retry-after'] !== undefined);
      await serve(lab, peer);
    },
  },
  {
    rule: '11.2',
    title: 'lets streams finish after GOAWAY with a code that it does not know',
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer);
      peer.send(goaway(open.streamId, { code: LATER_CODE }));
      await peer.expectAlive();
      peer.send(emptyAnswer(open.streamId));
      expectEqual('the status', (await call.answer()).status, 200);
    },
  },
];
