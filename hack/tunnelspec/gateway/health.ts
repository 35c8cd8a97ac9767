import { FrameType } from '../../../tunnel/wire/codes.ts';
import type { Document } from '../../../tunnel/wire/documents.ts';
import type { GatewayCase } from '../case.ts';
import { expectEqual, expectThat } from '../expect.ts';
import { serve } from './serve.ts';

/** Every member of a HEALTH, with this value. */
function wrong(value: unknown): Document {
  const texts = ['k8sHealthy', 'reason', 'message', 'kubernetesVersion'];
  const numbers = ['latencyMs', 'memoryBytes', 'heapBytes', 'freeDiskBytes', 'loopDelayMs', 'inFlight', 'queued'];
  return Object.fromEntries([...texts, ...numbers, 'upstreamErrors'].map((name) => [name, value]));
}

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
  ...[
    ['says nothing', {}],
    ['has every member of another kind', wrong([])],
    ['has numbers below 0', wrong(-1)],
    ['has members that nobody knows', { moodOfTheAgent: 'well', k8sHealthy: true }],
  ].map(
    ([what, document]): GatewayCase => ({
      rule: '8.5',
      title: `goes on with a session whose HEALTH ${what}`,
      run: async (lab) => {
        const peer = await lab.agent();
        peer.send({ type: FrameType.Health, document: document as Document });
        await serve(lab, peer);
      },
    }),
  ),
];
