import { expect } from 'chai';
import { AgentMetrics } from '../../agent/metrics.ts';
import { ErrorCode } from '../../tunnel/wire/codes.ts';

const IDLE = { ordinary: 0, longRunning: 0 };
const GAUGES = {
  sessions: 1,
  bufferedBytes: 0,
  bufferLimitBytes: 0,
  upstreamConnections: 0,
  running: IDLE,
  queued: IDLE,
  limit: IDLE,
  starvedMs: 1_500,
};

describe('agent/metrics', () => {
  it('measures how long workers had requests, by class of the answer, and those only that a worker had', async () => {
    const metrics = new AgentMetrics(() => GAUGES);
    metrics.exchangeEnded({ code: ErrorCode.None, status: 201 }, 300);
    metrics.exchangeEnded({ code: ErrorCode.UpstreamReset, status: undefined }, 20);
    metrics.exchangeEnded({ code: ErrorCode.PolicyDenied, status: undefined }, undefined);
    metrics.exchangeEnded({ code: 9_999, status: 999 }, undefined);
    const { body } = await metrics.render();
    metrics.close();
    const name = 'clustertunnel_agent_upstream_request_duration_seconds';
    expect(body).to.contain(`${name}_bucket{le="0.5",status_class="2xx"} 1`);
    expect(body).to.contain(`${name}_bucket{le="0.1",status_class="2xx"} 0`);
    expect(body).to.contain(`${name}_count{status_class="none"} 1`);
    expect(body).to.contain('clustertunnel_agent_upstream_errors_total{code="UPSTREAM_RESET"} 1');
    expect(body).to.contain('clustertunnel_agent_exchanges_total{outcome="OK",status_class="2xx"} 1');
    expect(body).to.contain('clustertunnel_agent_exchanges_total{outcome="other",status_class="none"} 1');
  });

  it('counts what went deflated, before and after', async () => {
    const metrics = new AgentMetrics(() => GAUGES);
    metrics.deflated({ plain: 5_000_000, deflated: 450_000 });
    metrics.deflated({ plain: 1_000_000, deflated: 50_000 });
    const { body } = await metrics.render();
    metrics.close();
    expect(body).to.match(/^clustertunnel_agent_deflate_input_bytes_total 6000000$/m);
    expect(body).to.match(/^clustertunnel_agent_deflate_output_bytes_total 500000$/m);
  });
});
