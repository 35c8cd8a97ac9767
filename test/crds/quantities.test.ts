import { expect } from 'chai';
import fc from 'fast-check';
import { parseBytes, parseDurationMs, parseResource } from '../../crds/quantities.ts';

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

  const amounts: readonly (readonly [value: string | number, nanos: bigint])[] = [
    ['500m', 500_000_000n],
    ['0.5', 500_000_000n],
    ['.5', 500_000_000n],
    ['5e-1', 500_000_000n],
    ['+1.', 1_000_000_000n],
    [2, 2_000_000_000n],
    ['1E', 10n ** 27n],
    ['1E3', 10n ** 12n],
    ['1.5Gi', 1_610_612_736n * 10n ** 9n],
    ['0.1n', 1n],
    ['8Ei', (2n ** 63n - 1n) * 10n ** 9n],
    ['9007199254740993', 9_007_199_254_740_993n * 10n ** 9n],
  ];
  for (const [value, nanos] of amounts) {
    it(`reads ${value} of a compute resource`, () => expect(parseResource(value)).to.equal(nanos));
  }

  for (const value of [
    'lots',
    '',
    '.',
    '-1',
    -1,
    1.5e-7,
    '1 Gi',
    '1gi',
    '1KI',
    '1e',
    '1e1.5',
    '1e100',
    '1\n',
    2 ** 63,
  ]) {
    it(`takes ${JSON.stringify(value)} for no amount`, () => expect(parseResource(value)).to.equal(undefined));
  }

  for (const text of ['32MB', '4 Mi', '-1Mi', '1.5Mi', 'Mi', '', '1e3']) {
    it(`takes "${text}" for no size`, () => expect(parseBytes(text)).to.equal(undefined));
  }

  for (const text of ['2 minutes', '10', '1m30s', '1.5s', 's', '', '-1s', '9999999h', '1s\n']) {
    it(`takes ${JSON.stringify(text)} for no duration`, () => expect(parseDurationMs(text)).to.equal(undefined));
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
