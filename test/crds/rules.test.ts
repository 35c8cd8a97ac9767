import { expect } from 'chai';
import { celText, immutable, matching } from '../../crds/rules.ts';

describe('crds/rules', () => {
  it('writes text as CEL reads it', () => {
    expect(celText("it's a \\[")).to.equal("'it\\'s a \\\\['");
  });

  it('says a pattern to the API server and to us', () => {
    const { cel, holds, message } = matching('^a\\.b$', 'must be a.b');
    expect(cel).to.equal("self.matches('^a\\\\.b$')");
    expect(message).to.equal('must be a.b');
    expect(['a.b', 'axb', 'a.b\n', '\na.b'].map(holds)).to.deep.equal([true, false, false, false]);
  });

  it('says nothing about the change of a value that is invalid anyway', () => {
    expect(immutable().rule).to.equal('self == oldSelf');
    expect(immutable({ unless: "self == ''" }).rule).to.equal("self == oldSelf || self == ''");
  });
});
