import { expect } from 'chai';
import { Registry } from 'prom-client';
import type { CircuitSample } from '../../../operator/gateway/admission/breaker.ts';
import { registerHealthMetrics } from '../../../operator/gateway/health/metrics.ts';
import type { HealthSample } from '../../../operator/gateway/health/samples.ts';
import {
  refusalCounter,
  registerCacheMetrics,
  registerCircuitMetrics,
  registerFallbackMetrics,
} from '../../../operator/gateway/metrics.ts';

describe('operator/gateway/metrics', () => {
  it('counts what the gateway answers itself, by cause code', async () => {
    const registry = new Registry();
    const refused = refusalCounter(registry);
    for (const code of ['queue_full', 'rate_limited', 'queue_full']) refused(code);
    const text = await registry.metrics();
    expect(text).to.contain('clustertunnel_requests_refused_total{code="queue_full"} 2');
    expect(text).to.contain('clustertunnel_requests_refused_total{code="rate_limited"} 1');
  });

  it('tells the circuit of each tunnel as a number and how often it opened, and of tunnels that are gone nothing', async () => {
    let samples: CircuitSample[] = [
      { tunnel: 'c1', state: 'closed', openings: 3 },
      { tunnel: 'c2', state: 'open', openings: 1 },
      { tunnel: 'c3', state: 'halfOpen', openings: 1 },
      { tunnel: 'c4', state: 'probing', openings: 0 },
    ];
    const registry = new Registry();
    registerCircuitMetrics(registry, () => samples);
    const lines = async () => (await registry.metrics()).split('\n').filter((line) => /^\w/.test(line));
    expect(await lines()).to.deep.equal([
      'clustertunnel_circuit_state{tunnel="c1"} 0',
      'clustertunnel_circuit_state{tunnel="c2"} 1',
      'clustertunnel_circuit_state{tunnel="c3"} 2',
      'clustertunnel_circuit_state{tunnel="c4"} 2',
      'clustertunnel_circuit_opened_total{tunnel="c1"} 3',
      'clustertunnel_circuit_opened_total{tunnel="c2"} 1',
      'clustertunnel_circuit_opened_total{tunnel="c3"} 1',
      'clustertunnel_circuit_opened_total{tunnel="c4"} 0',
    ]);
    samples = [];
    expect(await lines()).to.deep.equal([]);
  });

  it('tells how the agents of each tunnel are, of free disk only where one says, and of tunnels that are gone nothing', async () => {
    const well = { latencyMs: 250, loopDelayMs: 30, memoryBytes: 9_000, heapBytes: 4_000, freeDiskBytes: undefined };
    let samples: HealthSample[] = [
      { ...well, tunnel: 'c1', freeDiskBytes: 0 },
      { ...well, tunnel: 'c2' },
    ];
    const registry = new Registry();
    const looks = () => ({ reached: 3, failed: 2, saturated: 1, spared: 7 });
    registerHealthMetrics(registry, { healthSamples: () => samples, looks });
    const lines = async () => (await registry.metrics()).split('\n').filter((line) => /^\w/.test(line));
    const known = await lines();
    expect(known).to.include.members([
      'clustertunnel_health_upstream_latency_seconds{tunnel="c1"} 0.25',
      'clustertunnel_health_loop_delay_seconds{tunnel="c2"} 0.03',
      'clustertunnel_health_free_disk_bytes{tunnel="c1"} 0',
      'clustertunnel_health_memory_bytes{tunnel="c2"} 9000',
      'clustertunnel_health_heap_bytes{tunnel="c2"} 4000',
      'clustertunnel_health_looks_total{result="saturated"} 1',
    ]);
    expect(known.filter((line) => line.includes('free_disk'))).to.have.length(1);
    samples = [];
    expect(await lines()).to.deep.equal((await lines()).filter((line) => line.includes('looks_total')));
  });

  it('counts what went without the tunnel, by tunnel and result', async () => {
    const registry = new Registry();
    const results = { answered: 2, cancelled: 0, unreachable: 1, failed: 0, refused: 3 };
    registerFallbackMetrics(registry, () => [{ tunnel: 'c1', results }]);
    for (let scrape = 0; scrape < 2; scrape++) {
      const text = await registry.metrics();
      expect(text).to.contain('clustertunnel_fallback_requests_total{tunnel="c1",result="answered"} 2');
      expect(text).to.contain('clustertunnel_fallback_requests_total{tunnel="c1",result="refused"} 3');
    }
  });

  it('tells what is remembered of all tunnels, and where answers came from', async () => {
    const registry = new Registry();
    registerCacheMetrics(registry, () => ({ bytes: 5, results: { hit: 3, revalidated: 2, miss: 0 } }));
    for (let scrape = 0; scrape < 2; scrape++) {
      const lines = (await registry.metrics()).split('\n').filter((line) => /^\w/.test(line));
      expect(lines).to.deep.equal([
        'clustertunnel_cache_bytes 5',
        'clustertunnel_cache_requests_total{result="hit"} 3',
        'clustertunnel_cache_requests_total{result="revalidated"} 2',
        'clustertunnel_cache_requests_total{result="miss"} 0',
      ]);
    }
  });
});
