import { expect } from 'chai';
import { CommandError, failureText } from '../../cli/output.ts';

describe('cli/output', () => {
  it('says what, why and what to do in three lines', () => {
    const error = new CommandError({ what: 'there is no tunnel', why: 'nobody made it', remedy: 'make it' });
    expect(failureText(error)).to.equal('error: there is no tunnel\n  why: nobody made it\n  do:  make it\n');
  });

  it('never shows a token', () => {
    expect(failureText(new Error(`bad ct1.abcdefghij.${'x'.repeat(43)}`))).not.to.contain('xxx');
  });

  it('passes on what yargs says', () => expect(failureText('Unknown command')).to.equal('error: Unknown command\n'));
});
