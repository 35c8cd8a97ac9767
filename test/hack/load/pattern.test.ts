import { expect } from 'chai';
import { PatternCheck, pattern } from '../../../hack/load/pattern.ts';

const WHOLE = pattern(0, 100_000);

/** What a check says of these bytes, fed in chunks of odd sizes. */
function isIntact(bytes: Buffer): boolean {
  const check = new PatternCheck();
  for (let at = 0; at < bytes.length; at += 1_009) check.feed(bytes.subarray(at, at + 1_009));
  return check.isIntact;
}

describe('hack/load/pattern', () => {
  it('is the same from wherever it is begun', () => {
    for (const offset of [0, 1, 7, 8, 4_095, 4_096, 70_001]) {
      expect(pattern(offset, 20_000).equals(WHOLE.subarray(offset, offset + 20_000)), `from ${offset}`).to.equal(true);
    }
  });

  it('shows bytes that are lost, doubled or changed, whole blocks too', () => {
    expect(isIntact(WHOLE)).to.equal(true);
    const without = (from: number, to: number) => Buffer.concat([WHOLE.subarray(0, from), WHOLE.subarray(to)]);
    expect(isIntact(without(50_000, 50_001)), 'a byte lost').to.equal(false);
    expect(isIntact(without(4_096, 8_192)), 'a block lost').to.equal(false);
    expect(isIntact(Buffer.concat([WHOLE.subarray(0, 8_192), WHOLE])), 'blocks doubled').to.equal(false);
    const changed = Buffer.from(WHOLE);
    changed.writeUInt8(changed.readUInt8(99_999) ^ 1, 99_999);
    expect(isIntact(changed), 'a bit changed').to.equal(false);
  });
});
