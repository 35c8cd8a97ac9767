import { expect } from 'chai';
import { within } from '../../../hack/load/deadline.ts';

describe('hack/load/deadline', () => {
  it('is the result of what is over in time, or its error', async () => {
    expect(await within(60_000, Promise.resolve(7))).to.equal(7);
    const error = await within(60_000, Promise.reject(new Error('no'))).catch((reason: Error) => reason.message);
    expect(error).to.equal('no');
  });

  it('gives up on what is not', async () => {
    const error = await within(1, new Promise(() => {})).catch((reason: Error) => reason.message);
    expect(error).to.equal('not over after 0.001 s');
  });
});
