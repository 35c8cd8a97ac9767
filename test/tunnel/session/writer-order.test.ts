import { expect } from 'chai';
import fc from 'fast-check';
import { FrameType } from '../../../tunnel/wire/codes.ts';
import { encode } from '../../../tunnel/wire/encode.ts';
import { SlowPipe } from '../../support/slow-pipe.ts';
import { turn } from '../../support/transport-pair.ts';
import { Script, writerOver } from './writing.ts';

const STREAMS = 6;
const PING = encode({ type: FrameType.Ping, token: 1 });

type Kind = 'head' | 'data' | 'credit' | 'end' | 'trailers' | 'remove' | 'control' | 'turn' | 'take' | 'pass';
const step = fc.record({
  kind: fc.constantFrom<Kind>(
    ...(['head', 'data', 'data', 'data', 'credit', 'credit', 'end', 'trailers', 'remove'] as const),
    ...(['control', 'turn', 'turn', 'take', 'take', 'pass'] as const),
  ),
  who: fc.nat(STREAMS - 1),
  amount: fc.oneof(fc.nat(200), fc.nat(100_000)),
});

describe('tunnel/session/writer keeps order', () => {
  it('property: in a stream head comes first, bytes as they were written, and the end last, whatever the lanes, credit and the system do', async function () {
    this.timeout(30_000);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 150, size: 'max' }), async (steps) => {
        const pipe = new SlowPipe();
        const { writer, clock } = writerOver(pipe);
        const scripts = Array.from({ length: STREAMS }, (_, index) => new Script(index + 1, writer));
        const actions: Record<Kind, (script: Script, amount: number) => unknown> = {
          head: (script, amount) => script.head(amount % 60_000),
          data: (script, amount) => script.data(amount),
          credit: (script, amount) => script.credit(amount),
          end: (script) => script.end(false),
          trailers: (script) => script.end(true),
          remove: (script, amount) => amount % 10 === 0 && script.remove(),
          control: () => writer.control(PING),
          turn: () => turn(),
          take: (_, amount) => pipe.take(amount % 4),
          pass: (_, amount) => clock.advance(amount / 40),
        };
        for (const { kind, who, amount } of steps) await actions[kind](scripts[who] as Script, amount);
        for (const script of scripts) script.credit(2 ** 30);
        for (await turn(); pipe.waiting > 0; await turn()) pipe.take();
        for (const script of scripts) {
          const frames = pipe.taken.filter((frame) => 'streamId' in frame && frame.streamId === script.id);
          expect(script.problemWith(frames, { isAll: !script.isRemoved }), `stream ${script.id}`).to.equal(undefined);
        }
        expect(writer.waiting).to.deep.equal({ control: 0, handedBytes: 0 });
      }),
      { numRuns: 150 },
    );
  });
});
