import { expect } from 'chai';
import { Registry } from 'prom-client';
import { refusalCounter } from '../../../operator/gateway/metrics.ts';

describe('operator/gateway/metrics', () => {
  it('counts what the gateway answers itself, by cause code', async () => {
    const registry = new Registry();
    const refused = refusalCounter(registry);
    for (const code of ['queue_full', 'rate_limited', 'queue_full']) refused(code);
    const text = await registry.metrics();
    expect(text).to.contain('clustertunnel_requests_refused_total{code="queue_full"} 2');
    expect(text).to.contain('clustertunnel_requests_refused_total{code="rate_limited"} 1');
  });
});
