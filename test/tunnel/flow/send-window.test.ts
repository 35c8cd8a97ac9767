import { expect } from 'chai';
import { SendWindow } from '../../../tunnel/flow/send-window.ts';
import { INITIAL_WINDOW_BYTES, MAX_WINDOW_BYTES } from '../../../tunnel/wire/limits.ts';

describe('tunnel/flow/send-window', () => {
  it('starts with the credit that every stream has', () => {
    expect(new SendWindow().availableBytes).to.equal(INITIAL_WINDOW_BYTES);
  });

  it('spends credit down to nothing and asserts that it never goes below', () => {
    const window = new SendWindow();
    window.take(INITIAL_WINDOW_BYTES);
    expect(window.availableBytes).to.equal(0);
    expect(() => window.take(1)).to.throw(RangeError, 'took 1 bytes of 0');
  });

  it('refuses credit that would pass 2^31-1 and keeps what it has', () => {
    const window = new SendWindow();
    expect(window.grant(MAX_WINDOW_BYTES - INITIAL_WINDOW_BYTES)).to.equal(true);
    expect(window.grant(1)).to.equal(false);
    expect(window.availableBytes).to.equal(MAX_WINDOW_BYTES);
  });
});
