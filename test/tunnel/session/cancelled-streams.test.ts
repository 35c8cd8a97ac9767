import { expect } from 'chai';
import { cancelStreams } from '../../../hack/fuzz/streams.ts';

const STREAMS = 5_000;

describe('tunnel/session with streams that are cancelled', () => {
  it(`leaves neither object, slot, timer nor debt behind, over a real WebSocket (${STREAMS} streams)`, async function () {
    this.timeout(60_000);
    const { left } = await cancelStreams({ streams: STREAMS, seed: 20_261_123 });
    expect(left).to.deep.equal([]);
  });
});
