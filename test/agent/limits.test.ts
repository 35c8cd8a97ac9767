import { expect } from 'chai';
import { defaultSettings, Limits, sessionSettings } from '../../agent/limits.ts';

describe('agent/limits', () => {
  it('starts with the defaults of the CRD', () => {
    const { generation, limits, timeouts } = defaultSettings();
    expect(generation).to.equal(0);
    expect(limits).to.deep.equal({
      maxConcurrentRequests: 64,
      maxLongRunningRequests: 1_000,
      maxStreamsPerSession: 2_000,
      maxStreamBufferBytes: 2 ** 22,
      maxBufferBytes: 2 ** 25,
    });
    expect(timeouts).to.include({ connectMs: 10_000, backpressureMs: 10_000, requestMs: 120_000 });
  });

  it('starts anew with the generations of a tunnel that was deleted and made again', () => {
    const limits = new Limits(defaultSettings(), () => {});
    limits.apply({ ...defaultSettings(), tunnelUid: 'first', generation: 9 });
    expect(limits.apply({ ...defaultSettings(), tunnelUid: 'second', generation: 1 })).to.equal('applied');
    expect(limits.current.generation).to.equal(1);
  });

  it('takes a newer generation, and other words of the same one, and ignores an older one', () => {
    const seen: number[] = [];
    const limits = new Limits(defaultSettings(), (settings) => seen.push(settings.generation));
    expect(limits.apply({ ...defaultSettings(), generation: 3 })).to.equal('applied');
    expect(limits.apply({ ...defaultSettings(), generation: 2 })).to.equal('outdated');
    const health = { intervalMs: 7_000 };
    expect(limits.apply({ ...defaultSettings(), generation: 3, health })).to.equal('applied');
    expect(seen).to.deep.equal([3, 3]);
    expect(limits.current).to.deep.include({ generation: 3, health });
  });

  it('changes nothing when it is told the same again', () => {
    let changes = 0;
    const limits = new Limits(defaultSettings(), () => {
      changes += 1;
    });
    expect(limits.apply({ ...defaultSettings(), generation: 3 })).to.equal('applied');
    expect(limits.apply({ ...defaultSettings(), generation: 3, future: {} })).to.equal('unchanged');
    expect(changes).to.equal(1);
  });

  it('throws on what is none, and stays as it is', () => {
    const limits = new Limits(defaultSettings(), () => expect.fail('nothing changed'));
    expect(() => limits.apply({ generation: 9, limits: {} })).to.throw(TypeError, 'maxConcurrentRequests');
    expect(limits.current.generation).to.equal(0);
  });

  it('bounds a session by streams and timeouts', () => {
    const settings = { ...defaultSettings() };
    expect(sessionSettings(settings)).to.include({
      maxStreams: 2_000,
      maxWindowBytes: 2 ** 22,
      controlWriteMs: 5_000,
      dataWriteMs: 30_000,
    });
  });
});
