import { expect } from 'chai';
import { FrameType } from '../../../tunnel/wire/codes.ts';
import { encode, packMessage } from '../../../tunnel/wire/encode.ts';
import { naiveDecode } from '../../support/naive-codec.ts';
import { framesOf, readableFrames, readTranscript, transcriptNames } from '../../support/transcript.ts';

describe('tunnel/wire against recorded sessions', () => {
  for (const name of transcriptNames()) {
    const { messages, page } = readTranscript(name);

    it(`decodes every message of ${name} to the recorded frames`, () => {
      expect(messages.map(({ from }) => from)).to.deep.equal(page.messages.map(({ from }) => from));
      messages.forEach(({ bytes }, index) => {
        expect(readableFrames(framesOf(bytes)), `line ${index + 1}`).to.deep.equal(page.messages[index]?.frames);
      });
    });

    it(`encodes every frame of ${name} as it was recorded`, () => {
      messages.forEach(({ bytes }, index) => {
        const frames = framesOf(bytes).filter((frame) => frame !== undefined);
        // What is skipped leaves no frame to encode; it stands alone in its message.
        if (frames.length > 0)
          expect(packMessage(frames.map(encode)).equals(bytes), `line ${index + 1}`).to.equal(true);
      });
    });

    it(`reads ${name} as the naive twin does`, () => {
      for (const { bytes } of messages) {
        expect(readableFrames(naiveDecode(bytes))).to.deep.equal(
          readableFrames(framesOf(bytes).filter((frame) => frame !== undefined)),
        );
      }
    });
  }

  it('have recorded every frame type, and one that is skipped', () => {
    const types = transcriptNames().flatMap((name) =>
      readTranscript(name).messages.flatMap(({ bytes }) => framesOf(bytes).map((frame) => frame?.type ?? 'skipped')),
    );
    expect([...new Set(types)]).to.have.members([...Object.values(FrameType), 'skipped']);
  });
});
