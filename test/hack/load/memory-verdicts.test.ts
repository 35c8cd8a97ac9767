import { expect } from 'chai';
import { type Held, memoryVerdicts } from '../../../hack/load/memory-verdicts.ts';

const MEBIBYTE = 1024 * 1024;

function cycles(residentOf: (at: number) => number, heapOf: (at: number) => number): Held[] {
  return Array.from({ length: 6 }, (_, at) => {
    const gateway = { residentBytes: residentOf(at) * MEBIBYTE, heapBytes: heapOf(at) * MEBIBYTE };
    return { gateway, agent: { residentBytes: 90 * MEBIBYTE, heapBytes: 20 * MEBIBYTE } };
  });
}

function violated(held: readonly Held[]): string[] {
  return memoryVerdicts(held).flatMap(({ rule, violations }) => violations.map((violation) => `${rule}: ${violation}`));
}

describe('hack/load/memory-verdicts', () => {
  it('holds for memory that goes up and down', () => {
    const upAndDown = (at: number) => 100 + (at % 2) * 5;
    expect(violated(cycles(upAndDown, upAndDown)), 'the middle ones are compared').to.deep.equal([
      'the heap of the gateway comes back: 5.00 MiB more than at first',
    ]);
    expect(violated(cycles(upAndDown, () => 30))).to.deep.equal([]);
  });

  it('finds what grows with every cycle', () => {
    const found = violated(
      cycles(
        (at) => 100 + 1.5 * at,
        (at) => 20 + at,
      ),
    );
    expect(found).to.deep.equal([
      'resident memory of the gateway grows by at most 1 MiB a cycle: 1.50 MiB',
      'the heap of the gateway comes back: 3.00 MiB more than at first',
    ]);
  });

  it('knows nothing of what was not measured', () => {
    expect(
      violated(
        cycles(
          () => Number.NaN,
          () => 20,
        ),
      ),
    ).to.have.length(1);
  });
});
