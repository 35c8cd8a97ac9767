import { expect } from 'chai';
import fc from 'fast-check';
import { type Kept, weightOf } from '../../../../operator/gateway/cache/kept.ts';
import { Shelf } from '../../../../operator/gateway/cache/shelf.ts';

function kept(bytes: number): Kept {
  return { headers: [], chunks: [new Uint8Array(bytes)], atMs: 0 };
}

const KEYS = ['a', 'b', 'c', 'd'];
const WEIGHT = weightOf(kept(100));

describe('operator/gateway/cache/shelf', () => {
  it('forgets what was used least', () => {
    const shelf = new Shelf();
    for (const key of ['a', 'b', 'c']) shelf.put(key, kept(100), 3 * WEIGHT);
    shelf.get('a');
    shelf.put('d', kept(100), 3 * WEIGHT);
    expect(KEYS.filter((key) => shelf.get(key) !== undefined)).to.deep.equal(['a', 'c', 'd']);
  });

  it('makes room for what is being collected, and has none when that alone is too much', () => {
    const shelf = new Shelf();
    shelf.put('a', kept(100), 2 * WEIGHT);
    expect(shelf.reserve(2 * WEIGHT, 2 * WEIGHT)).to.equal(true);
    expect(shelf.get('a')).to.equal(undefined);
    expect(shelf.reserve(1, 2 * WEIGHT)).to.equal(false);
    shelf.release(2 * WEIGHT);
    expect(shelf.bytes).to.equal(0);
  });

  it('never holds more than its bound, and counts what it holds', () => {
    const act = fc.constantFrom('put', 'get', 'delete', 'reserve', 'release');
    const step = fc.record({ act, key: fc.constantFrom(...KEYS), bytes: fc.integer({ min: 0, max: 1_000 }) });
    fc.assert(
      fc.property(fc.array(step), fc.integer({ min: 0, max: 5_000 }), (steps, maxBytes) => {
        const shelf = new Shelf();
        const reserved: number[] = [];
        const acts: Record<string, (key: string, bytes: number) => void> = {
          put: (key, bytes) => shelf.put(key, kept(bytes), maxBytes),
          get: (key) => shelf.get(key),
          delete: (key) => shelf.delete(key),
          reserve: (_, bytes) => reserved.push(shelf.reserve(bytes, maxBytes) ? bytes : 0),
          release: () => shelf.release(reserved.pop() ?? 0),
        };
        for (const { act: name, key, bytes } of steps) {
          acts[name]?.(key, bytes);
          const weights = KEYS.flatMap((each) => shelf.get(each) ?? []).map(weightOf);
          expect(shelf.bytes).to.equal([...weights, ...reserved].reduce((sum, each) => sum + each, 0));
          expect(shelf.bytes).to.be.at.most(maxBytes);
        }
      }),
    );
  });
});
