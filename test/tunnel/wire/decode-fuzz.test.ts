import { expect } from 'chai';
import { corpus } from '../../../hack/fuzz/corpus.ts';
import { DecoderFuzz } from '../../../hack/fuzz/decoder.ts';

const SEED = 20_261_123;
const INPUTS = 50_000;

describe('tunnel/wire/decode under fuzz', () => {
  it(`makes frames or a ProtocolError of any bytes, as the naive twin does, and never more than came (${INPUTS} inputs)`, function () {
    this.timeout(20_000);
    const fuzz = new DecoderFuzz(SEED, corpus());
    expect(fuzz.run(0, INPUTS), 'again: npm run fuzz').to.equal(undefined);
    expect(fuzz.accepted, 'inputs that were valid after all').to.be.within(INPUTS / 20, INPUTS / 2);
  });
});
