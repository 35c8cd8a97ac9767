import { expect } from 'chai';
import { readOptions, UsageError } from '../../../hack/faults/options.ts';

const read = (...args: string[]) => readOptions(args, () => 42);

describe('hack/faults/options', () => {
  it('is a full run with a new seed when nothing is said', () => {
    expect(read()).to.deep.include({ seed: 42, cuts: 1_000, kills: 50, breakName: undefined, isJson: false });
    expect(read('--seed', '7', '--cuts', '40', '--kills', '0', '--break', 'lost-write', '--json')).to.deep.include({
      seed: 7,
      cuts: 40,
      kills: 0,
      breakName: 'lost-write',
      isJson: true,
    });
  });

  it('says what is wrong with an option', () => {
    expect(() => read('--cuts', 'many')).to.throw(UsageError, '--cuts must be a whole number');
    expect(() => read('--break', 'all')).to.throw(UsageError, '--break must be one of lost-write');
    expect(() => read('--fast')).to.throw(UsageError, 'npm run faults');
  });
});
