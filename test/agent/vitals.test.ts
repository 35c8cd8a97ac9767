import { expect } from 'chai';
import { freeBytes, latenessMs, OwnVitals } from '../../agent/vitals.ts';

describe('agent/vitals', () => {
  it('takes for delay only what is beyond the rhythm of its samples', () => {
    const between = (ms: number) => latenessMs(ms * 1e6);
    expect([between(20), between(19.1), between(20.3), between(170)]).to.deep.equal([0, 0, 0, 150]);
    expect(between(Number.NaN), 'no sample yet').to.equal(0);
  });

  it('knows memory and free disk in bytes', () => {
    const vitals = new OwnVitals();
    vitals.start();
    const { memoryBytes, heapBytes, freeDiskBytes } = vitals.look();
    vitals.stop();
    expect(memoryBytes).to.be.greaterThan(heapBytes);
    expect(heapBytes).to.be.greaterThan(1_000_000);
    expect(freeDiskBytes).to.be.greaterThan(0);
  });

  it('knows no free disk where there is no file system', () => {
    expect(freeBytes('/no/such/place')).to.equal(undefined);
  });
});
