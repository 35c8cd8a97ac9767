import { expect } from 'chai';
import { MAX_HEALTH_TEXT, parseHealthReport } from '../../crds/health-report.ts';

describe('crds/health-report', () => {
  it('reads what is missing or of the wrong type as empty', () => {
    for (const document of [undefined, null, 7, [], {}, { k8sHealthy: 'true', latencyMs: -1, message: 5 }]) {
      expect(parseHealthReport(document)).to.deep.include({
        k8sHealthy: false,
        reason: 'Unknown',
        message: '',
        kubernetesVersion: '',
        latencyMs: 0,
      });
    }
  });

  it('takes the silence of an older agent about its disk for not known, not for a full one', () => {
    expect(parseHealthReport({ memoryBytes: 7 })).to.include({
      memoryBytes: 7,
      heapBytes: 0,
      freeDiskBytes: undefined,
    });
    expect(parseHealthReport({ freeDiskBytes: 0, heapBytes: 5 })).to.include({ freeDiskBytes: 0, heapBytes: 5 });
    for (const freeDiskBytes of [-1, '9', null, Number.NaN, Number.POSITIVE_INFINITY, {}]) {
      expect(parseHealthReport({ freeDiskBytes }).freeDiskBytes, String(freeDiskBytes)).to.equal(undefined);
    }
  });

  it('takes a reason only in the form that conditions have', () => {
    expect(parseHealthReport({ reason: 'CredentialRefused' }).reason).to.equal('CredentialRefused');
    for (const reason of ['', 'not ready', 'Ready\nConnected', '\u001b[31m', '1st', 'R'.repeat(129)]) {
      expect(parseHealthReport({ reason }).reason, JSON.stringify(reason)).to.equal('Unknown');
    }
  });

  it('bounds every text', () => {
    const long = 'x'.repeat(10_000);
    const { message, kubernetesVersion } = parseHealthReport({ message: long, kubernetesVersion: long });
    expect(message).to.have.length(MAX_HEALTH_TEXT);
    expect(kubernetesVersion.length).to.be.at.most(MAX_HEALTH_TEXT);
  });
});
