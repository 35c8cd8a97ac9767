import { expect } from 'chai';
import { replayToAgent, replayToGateway } from '../../support/replay.ts';
import { readTranscript, transcriptNames } from '../../support/transcript.ts';

describe('tunnel/session against recorded sessions', () => {
  for (const name of transcriptNames()) {
    const { messages, page } = readTranscript(name);

    it(`a gateway comes to what was recorded with the agent of ${name}`, async () => {
      expect(await replayToGateway(messages)).to.deep.equal(page.outcome.gateway);
    });

    it(`an agent comes to what was recorded with the gateway of ${name}`, async () => {
      expect(await replayToAgent(messages)).to.deep.equal(page.outcome.agent);
    });
  }
});
