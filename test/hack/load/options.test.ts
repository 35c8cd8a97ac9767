import { expect } from 'chai';
import { readOptions, UsageError } from '../../../hack/load/options.ts';
import { concluded } from '../../../hack/load/result.ts';

const KNOWN = ['high-volume', 'timeout'];

describe('hack/load/options', () => {
  it('takes names of scenarios, once each, or all of them', () => {
    expect(readOptions(['timeout', 'timeout', '--json'], KNOWN)).to.deep.equal({
      names: ['timeout'],
      isShort: false,
      isJson: true,
    });
    expect(readOptions(['all', '--short'], KNOWN)).to.deep.include({ names: KNOWN, isShort: true });
  });

  it('says what there is to whoever asks for something else', () => {
    for (const args of [[], ['storm'], ['timeout', '--loud']]) {
      expect(() => readOptions(args, KNOWN)).to.throw(UsageError, 'high-volume | timeout | all');
    }
  });
});

describe('hack/load/result', () => {
  it('is good when rules were looked at and all of them held', () => {
    const kept = { rule: 'nothing hangs', violations: [] };
    const broken = { rule: 'fair', violations: ['4.00'] };
    expect(concluded('a', [kept], 1_400)).to.deep.equal({ name: 'a', ok: true, seconds: 1, violated: [] });
    expect(concluded('a', [kept, broken], 0)).to.deep.include({ ok: false, violated: ['fair'] });
    expect(concluded('a', [], 0)).to.deep.include({ ok: false });
  });
});
