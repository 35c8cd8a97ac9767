import { expect } from 'chai';
import { until } from '../../hack/lab/until.ts';
import type { Call } from '../support/gateway-fixture.ts';
import { opsText } from '../support/installed-lab.ts';
import { describePlayed, TUNNEL } from '../support/played-target.ts';

const PODS = `/clusters/${TUNNEL}/api/v1/namespaces/default/pods`;
const WORKERS = 2;
/** A condition is written, a few intervals have passed: whatever a busy machine takes. */
const SOON_MS = 60_000;
const HEALTH = { interval: '1s', timeout: '500ms', failureThreshold: 2 };
const SPEC = { health: HEALTH, limits: { maxConcurrentRequests: WORKERS } } as const;
const VERSION = '{"gitVersion":"v1.36.3"}';

/** What one test leaves to the next: they tell one story. */
describePlayed('health of the way to an API server', { spec: SPEC }, (target) => {
  const conditionOf = async (type: string) => {
    const path = `jsonpath={.status.conditions[?(@.type=="${type}")]}`;
    const { stdout } = await target().lab.hub(['get', 'ct', TUNNEL, '-o', path]);
    return JSON.parse(stdout) as { status: string; reason: string; message: string };
  };
  const condition = (type: string, wanted: string) =>
    until(
      `${type} to be ${wanted}`,
      async () => {
        const seen = await conditionOf(type);
        return `${seen.status}/${seen.reason}` === wanted ? seen : undefined;
      },
      SOON_MS,
    );
  const metrics = () => opsText(target().lab.operator(), 8080, '/metrics');
  /** What asks: the gateway's probe, the agent's, or a user. */
  const isProbe = ({ rawHeaders }: { rawHeaders: readonly string[] }) => rawHeaders.includes('clustertunnel-gateway');

  it('is healthy while the gateway is answered on a user’s way, and its agent tells how it is', async () => {
    let probes = 0;
    target().upstream.answer = (request, response) => {
      if (isProbe(request)) probes += 1;
      response.end(VERSION);
    };
    await target().lab.waitReady(TUNNEL);
    await until('probes of the gateway', () => probes >= 3 || undefined, SOON_MS);
    expect(await conditionOf('UpstreamHealthy')).to.include({ status: 'True', reason: 'Healthy' });
    const text = await metrics();
    for (const name of ['upstream_latency_seconds', 'loop_delay_seconds', 'memory_bytes', 'free_disk_bytes']) {
      expect(text, name).to.match(new RegExp(`clustertunnel_health_${name}\\{tunnel="${TUNNEL}"\\} [0-9]`));
    }
    expect(text).to.match(/clustertunnel_health_looks_total\{result="reached"\} [1-9]/);
  }).timeout(3 * SOON_MS);

  it('is not when the gateway’s probes hang, though the agent’s own are answered', async () => {
    target().upstream.answer = (request, response) => {
      if (!isProbe(request)) response.end(VERSION);
    };
    const { message } = await condition('UpstreamHealthy', 'False/ProbeFailed');
    expect(message).to.contain('no answer to /version within 500 ms');
    await condition('Ready', 'False/ProbeFailed');
    target().upstream.answer = (_, response) => response.end(VERSION);
    await condition('UpstreamHealthy', 'True/Healthy');
    await target().rest();
  }).timeout(3 * SOON_MS);

  it('is saturated, not ill, while users have all workers for nothing', async () => {
    target().upstream.answer = ({ url = '' }, response) => {
      if (!url.includes('pods')) response.end(VERSION);
    };
    const client = target().client('h2');
    const { token } = target();
    const calls: Call[] = Array.from({ length: WORKERS }, () => client.call({ path: PODS, token }));
    await condition('UpstreamHealthy', 'Unknown/Saturated');
    for (const call of calls) call.cancel();
    await condition('UpstreamHealthy', 'True/Healthy');
    await target().rest();
  }).timeout(3 * SOON_MS);

  it('warns of an agent with too little disk, and stays Ready', async () => {
    const least = (minFreeDiskBytes: string) => {
      const patch = JSON.stringify({ spec: { health: { minFreeDiskBytes } } });
      return target().lab.hub(['patch', 'ct', TUNNEL, '--type=merge', '-p', patch]);
    };
    await least('1024Gi');
    const { message } = await condition('Ready', 'True/LowDisk');
    expect(message).to.contain('less than 1024Gi free');
    await until(
      'a Warning Event',
      async () => {
        const selector = ['--field-selector', `reason=LowDisk,type=Warning`];
        const { stdout } = await target().lab.hub(['get', 'events', '-n', 'default', ...selector, '-o', 'name']);
        return stdout.trim() === '' ? undefined : true;
      },
      SOON_MS,
    );
    await least('0');
    await condition('Ready', 'True/RequestsGetThrough');
  }).timeout(3 * SOON_MS);
});
