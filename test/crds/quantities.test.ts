import { expect } from 'chai';
import fc from 'fast-check';
import { parseBytes, parseDurationMs } from '../../crds/quantities.ts';

describe('crds/quantities', () => {
  it('reads binary and decimal sizes', () => {
    expect(parseBytes('4Mi')).to.equal(4 * 2 ** 20);
    expect(parseBytes('64Ki')).to.equal(65_536);
    expect(parseBytes('1Gi')).to.equal(2 ** 30);
    expect(parseBytes('3M')).to.equal(3_000_000);
    expect(parseBytes('1500')).to.equal(1_500);
    expect(parseBytes(1_500)).to.equal(1_500);
  });

  it('reads durations in one unit', () => {
    expect(parseDurationMs('500ms')).to.equal(500);
    expect(parseDurationMs('10s')).to.equal(10_000);
    expect(parseDurationMs('2m')).to.equal(120_000);
    expect(parseDurationMs('1h')).to.equal(3_600_000);
  });

  for (const text of ['32MB', '4 Mi', '-1Mi', '1.5Mi', 'Mi', '', '1e3']) {
    it(`takes "${text}" for no size`, () => expect(parseBytes(text)).to.equal(undefined));
  }

  for (const text of ['2 minutes', '10', '1m30s', '1.5s', 's', '', '-1s']) {
    it(`takes "${text}" for no duration`, () => expect(parseDurationMs(text)).to.equal(undefined));
  }

  it('property: any text is a number or undefined, never NaN', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        for (const value of [parseBytes(text), parseDurationMs(text)]) {
          expect(value === undefined || Number.isFinite(value)).to.equal(true);
        }
      }),
    );
  });
});
