import { expect } from 'chai';
import { Registry } from 'prom-client';
import type { CircuitSample } from '../../../operator/gateway/admission/breaker.ts';
import { registerHealthMetrics } from '../../../operator/gateway/health/metrics.ts';
import type { HealthSample } from '../../../operator/gateway/health/samples.ts';
import {
  gatewayMeter,
  refusalCounter,
  registerCacheMetrics,
  registerCircuitMetrics,
  registerFallbackMetrics,
  registerQueueDepth,
} from '../../../operator/gateway/metrics.ts';
import { requestInfo } from '../../../tunnel/request-info.ts';
import { ErrorCode } from '../../../tunnel/wire/codes.ts';

describe('operator/gateway/metrics', () => {
  it('counts what the gateway answers itself, by cause code', async () => {
    const registry = new Registry();
    const refused = refusalCounter(registry);
    for (const code of ['queue_full', 'rate_limited', 'queue_full']) refused(code);
    const text = await registry.metrics();
    expect(text).to.contain('clustertunnel_requests_refused_total{code="queue_full"} 2');
    expect(text).to.contain('clustertunnel_requests_refused_total{code="rate_limited"} 1');
  });

  it('counts answers that broke off, by cause code, and the whole ones not', async () => {
    const registry = new Registry();
    const meter = gatewayMeter(registry, () => []);
    const path = '/api/v1/pods';
    const ended = { info: requestInfo('GET', path), path, isLongRunning: false, status: 200, durationMs: 1 };
    for (const cutBy of ['backpressure_timeout', undefined, 'session_lost', 'session_lost'])
      meter.requestEnded({ ...ended, cutBy });
    const lines = (await registry.metrics()).split('\n').filter((line) => line.startsWith('clustertunnel_answers_cut'));
    expect(lines).to.deep.equal([
      'clustertunnel_answers_cut_total{code="backpressure_timeout"} 1',
      'clustertunnel_answers_cut_total{code="session_lost"} 2',
    ]);
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

  it('tells how many wait for each tunnel, and of tunnels that are gone nothing', async () => {
    let waiting = new Map([
      ['c1', 7],
      ['c2', 0],
    ]);
    const registry = new Registry();
    registerQueueDepth(registry, () => waiting);
    expect(await registry.metrics())
      .to.contain('clustertunnel_queue_depth{tunnel="c1"} 7')
      .and.contain('clustertunnel_queue_depth{tunnel="c2"} 0');
    waiting = new Map([['c2', 1]]);
    expect(await registry.metrics())
      .to.contain('clustertunnel_queue_depth{tunnel="c2"} 1')
      .and.not.contain('c1');
  });

  it('measures how long requests waited, by tunnel, and forgets tunnels that are gone', async () => {
    const registry = new Registry();
    let tunnels = ['c1', 'c2'];
    const meter = gatewayMeter(registry, () => tunnels);
    meter.waited('c1', 200);
    meter.waited('c1', 20_000);
    meter.waited('c2', 1);
    const text = await registry.metrics();
    expect(text).to.contain('clustertunnel_queue_wait_seconds_bucket{le="0.5",tunnel="c1"} 1');
    expect(text).to.contain('clustertunnel_queue_wait_seconds_count{tunnel="c1"} 2');
    expect(text).to.contain('clustertunnel_queue_wait_seconds_sum{tunnel="c1"} 20.2');
    tunnels = ['c2'];
    expect(await registry.metrics())
      .to.contain('tunnel="c2"')
      .and.not.contain('tunnel="c1"');
  });

  it('measures requests by verb and path pattern in the buckets of the seed, long-running ones apart', async () => {
    const registry = new Registry();
    const meter = gatewayMeter(registry, () => []);
    const ended = (path: string, isLongRunning: boolean, durationMs: number) =>
      meter.requestEnded({
        info: requestInfo('GET', path),
        path,
        isLongRunning,
        status: 200,
        durationMs,
        cutBy: undefined,
      });
    ended('/api/v1/pods', false, 60);
    ended('/api/v1/namespaces/a/pods/b/log', true, 90_000);
    const text = await registry.metrics();
    const buckets = [
      ...text.matchAll(/^clustertunnel_request_duration_seconds_bucket\{le="(.+?)".*pattern="pods"\} (\d)$/gm),
    ];
    expect(buckets.map(([, le, count]) => `${le} ${count}`)).to.deep.equal([
      ...['0.01 0', '0.05 0', '0.1 1', '0.5 1', '1 1', '2.5 1', '5 1', '10 1', '+Inf 1'],
    ]);
    expect(text).to.contain(
      'clustertunnel_long_request_duration_seconds_bucket{le="300",verb="get",pattern="pods/log"} 1',
    );
    expect(text).to.not.contain('clustertunnel_request_duration_seconds_count{verb="get",pattern="pods/log"}');
  });

  it('measures how long sessions lived, by why they ended, in words of our own', async () => {
    const registry = new Registry();
    const meter = gatewayMeter(registry, () => []);
    meter.sessionEnded(ErrorCode.Silent, 61_000);
    meter.sessionEnded(9_999, 1_000);
    const text = await registry.metrics();
    expect(text).to.contain('clustertunnel_session_duration_seconds_bucket{le="600",reason="SILENT"} 1');
    expect(text).to.contain('clustertunnel_session_duration_seconds_bucket{le="60",reason="SILENT"} 0');
    expect(text).to.contain('clustertunnel_session_duration_seconds_count{reason="other"} 1');
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
