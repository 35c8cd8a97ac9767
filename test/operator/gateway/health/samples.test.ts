import { expect } from 'chai';
import { parseHealthReport } from '../../../../crds/health-report.ts';
import { healthSample } from '../../../../operator/gateway/health/samples.ts';
import type { AgentLink } from '../../../../operator/gateway/sessions/registry.ts';

function link(report?: object): AgentLink {
  return { health: report && { report: parseHealthReport(report), atMs: 0 } } as AgentLink;
}

describe('operator/gateway/health/samples', () => {
  it('knows nothing of agents that said nothing', () => {
    expect(healthSample('c1', [])).to.equal(undefined);
    expect(healthSample('c1', [link()])).to.equal(undefined);
  });

  it('says the worst of what several agents say', () => {
    const a = { latencyMs: 9, loopDelayMs: 1, memoryBytes: 5, heapBytes: 3, freeDiskBytes: 70 };
    const b = { latencyMs: 2, loopDelayMs: 8, memoryBytes: 6, heapBytes: 2, freeDiskBytes: 40 };
    const older = { latencyMs: 1 };
    expect(healthSample('c1', [link(a), link(), link(b), link(older)])).to.deep.equal({
      tunnel: 'c1',
      latencyMs: 9,
      loopDelayMs: 8,
      memoryBytes: 6,
      heapBytes: 3,
      freeDiskBytes: 40,
    });
    expect(healthSample('c1', [link(older)])?.freeDiskBytes).to.equal(undefined);
  });
});
