import { expect } from 'chai';
import { ErrorCode, Flag, FrameType, nameOf } from '../../../tunnel/wire/codes.ts';

describe('tunnel/wire/codes', () => {
  it('names codes as logs and metrics do', () => {
    expect(nameOf(ErrorCode.UpstreamReset)).to.equal('UPSTREAM_RESET');
    expect(nameOf(ErrorCode.None)).to.equal('NONE');
  });

  it('names a code of a newer peer by its number', () => {
    expect(nameOf(99)).to.equal('CODE_99');
  });

  for (const [name, table] of Object.entries({ FrameType, ErrorCode, Flag })) {
    it(`gives every ${name} a number of its own`, () => {
      const numbers = Object.values(table);
      expect(new Set(numbers).size).to.equal(numbers.length);
    });
  }
});
