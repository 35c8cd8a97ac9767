import { expect } from 'chai';
import { AgentMetrics } from '../../agent/metrics.ts';

const IDLE = { ordinary: 0, longRunning: 0 };

describe('agent/metrics', () => {
  it('counts what went deflated, before and after', async () => {
    const gauges = { sessions: 1, bufferedBytes: 0, upstreamConnections: 0, running: IDLE, queued: IDLE, limit: IDLE };
    const metrics = new AgentMetrics(() => gauges);
    metrics.deflated({ plain: 5_000_000, deflated: 450_000 });
    metrics.deflated({ plain: 1_000_000, deflated: 50_000 });
    const { body } = await metrics.render();
    metrics.close();
    expect(body).to.match(/^clustertunnel_agent_deflate_input_bytes_total 6000000$/m);
    expect(body).to.match(/^clustertunnel_agent_deflate_output_bytes_total 500000$/m);
  });
});
