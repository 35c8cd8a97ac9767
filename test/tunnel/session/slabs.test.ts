import { expect } from 'chai';
import { Slabs } from '../../../tunnel/session/slabs.ts';
import { MAX_MESSAGE_BYTES } from '../../../tunnel/wire/limits.ts';

describe('tunnel/session/slabs', () => {
  for (const bytes of [1, 32 * 1024, 32 * 1024 + 1, MAX_MESSAGE_BYTES]) {
    it(`hands out exactly ${bytes} bytes, and uses their memory again`, () => {
      const slabs = new Slabs();
      const first = slabs.take(bytes);
      expect(first.length).to.equal(bytes);
      slabs.give(first);
      expect(slabs.take(bytes).buffer).to.equal(first.buffer);
    });
  }

  it('never hands out what was not given back', () => {
    const slabs = new Slabs();
    const taken = Array.from({ length: 100 }, () => slabs.take(100).buffer);
    expect(new Set(taken).size).to.equal(100);
  });

  it('poisons what was given back, in tests', () => {
    const slabs = new Slabs({ isPoisoned: true });
    const buffer = slabs.take(3).fill(1);
    slabs.give(buffer);
    expect([...buffer]).to.deep.equal([0xdb, 0xdb, 0xdb]);
  });

  it('keeps a bounded number of slabs, whatever was in use at once', () => {
    const slabs = new Slabs();
    const taken = Array.from({ length: 200 }, (_, index) => slabs.take(index % 2 === 0 ? 10 : MAX_MESSAGE_BYTES));
    for (const buffer of taken) slabs.give(buffer);
    expect(slabs.keptBytes).to.equal(32 * 32 * 1024 + 16 * MAX_MESSAGE_BYTES);
  });
});
