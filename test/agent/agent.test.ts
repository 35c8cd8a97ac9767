import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Agent, startAgent } from '../../agent/agent.ts';
import type { AgentConfig } from '../../agent/flags.ts';
import { defaultSettings } from '../../agent/limits.ts';
import { parseHealthReport } from '../../crds/health-report.ts';
import { silentLogger } from '../../process/log.ts';
import { ErrorCode } from '../../tunnel/wire/codes.ts';
import { StubUpstream, valuesOf } from '../support/stub-upstream.ts';
import { until } from '../support/turns.ts';
import { over } from './bench.ts';
import { ConnectProxy } from './connect-proxy.ts';
import { StubGateway } from './stub-gateway.ts';

const NEVER = new AbortController().signal;

describe('agent/agent', () => {
  let folder: string;
  let gateway: StubGateway;
  let upstream: StubUpstream;
  let config: AgentConfig;
  let agent: Agent;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'agent-'));
    [gateway, upstream] = await Promise.all([StubGateway.start(), StubUpstream.start()]);
    upstream.answer = (request, response) => {
      if (request.url === '/version') response.end('{"gitVersion":"v1.34.1"}');
      else response.end('ok');
    };
    config = {
      gatewayUrl: gateway.url,
      proxyUrl: undefined,
      tunnel: 'c1',
      tokenFile: join(folder, 'token'),
      caFile: join(folder, 'ca.crt'),
      bindAddress: '127.0.0.1',
      opsPort: 0,
      minBackoffMs: 10,
      maxBackoffMs: 50,
      logLevel: 'error',
      logFormat: 'json',
      upstreamUrl: upstream.url,
      serviceAccountFolder: join(folder, 'account'),
    };
    await mkdir(config.serviceAccountFolder);
    await Promise.all([
      writeFile(config.tokenFile, 'ct1.one\n'),
      writeFile(config.caFile, gateway.ca),
      writeFile(join(config.serviceAccountFolder, 'token'), 'account-token'),
      writeFile(join(config.serviceAccountFolder, 'ca.crt'), upstream.ca),
    ]);
  });

  afterEach(async () => {
    await agent.stop(AbortSignal.abort());
    await Promise.all([gateway.close(), upstream.close()]);
    await rm(folder, { recursive: true });
  });

  const start = async () => {
    agent = await startAgent(config, silentLogger);
    await until(() => gateway.ends.some((end) => end.readies.length > 0));
  };
  const ops = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${agent.opsPort}${path}`);
    return { status: response.status, text: await response.text() };
  };

  it('connects, greets with its slots, reports health and serves a request', async () => {
    await start();
    const { readies, healths } = gateway.last;
    expect(gateway.requests[0]?.headers.authorization).to.equal('Bearer ct1.one');
    expect(readies[0]?.slots).to.deep.equal({ ordinary: 64, longRunning: 1_000 });
    await until(() => healths.length > 0);
    const report = parseHealthReport(healths[0]);
    expect(report).to.include({ k8sHealthy: true, reason: 'Healthy', kubernetesVersion: 'v1.34.1', inFlight: 0 });
    expect(report.memoryBytes).to.be.greaterThan(0);
    const owner = gateway.last.open({}, true);
    await over(owner);
    expect(owner.text).to.equal('ok');
    expect(valuesOf(upstream.last.rawHeaders, 'authorization')).to.deep.equal(['Bearer account-token']);
  });

  it('reaches its gateway through the proxy, and its API server without it', async () => {
    const proxy = await ConnectProxy.start();
    config = { ...config, proxyUrl: proxy.url };
    await start();
    const exec = gateway.last.open(
      { isUpgrade: true, isLongRunning: true, deadlineMs: 0, headers: ['Upgrade', 'websocket'] },
      true,
    );
    const owner = gateway.last.open({}, true);
    await Promise.all([over(owner), over(exec)]);
    expect(owner.text).to.equal('ok');
    expect(proxy.destinations).to.deep.equal([new URL(gateway.url).host]);
    await agent.stop(AbortSignal.abort());
    await until(() => proxy.connections === 0);
    await proxy.close();
  });

  it('is ready only while it has a session', async () => {
    gateway.refusal = { status: 503, body: '' };
    agent = await startAgent(config, silentLogger);
    await until(() => gateway.requests.length > 1);
    expect(await ops('/readyz')).to.include({ status: 503 });
    expect((await ops('/livez')).status).to.equal(200);
    gateway.refusal = undefined;
    await until(() => gateway.ends.some((end) => end.readies.length > 0));
    await until(() => agent.state().dial === 'ready');
    expect(await ops('/readyz')).to.deep.equal({ status: 200, text: 'ok\n' });
    const { text } = await ops('/metrics');
    expect(text).to.match(/clustertunnel_agent_dials_total\{result="failed"\} [1-9]/);
    expect(text).to.include('clustertunnel_agent_sessions 1');
    expect(text).to.include('clustertunnel_agent_process_resident_memory_bytes');
    expect(JSON.parse((await ops('/debug/state')).text)).to.include({ dial: 'ready', sessions: 1, streams: 0 });
  });

  it('waits for its token to appear, and reads a rotated one at the next dial', async () => {
    await rm(config.tokenFile);
    agent = await startAgent(config, silentLogger);
    await until(() => upstream.received.length > 0);
    expect(gateway.connections).to.equal(0);
    await writeFile(config.tokenFile, 'ct1.two');
    await until(() => gateway.ends.length === 1 && gateway.last.readies.length > 0);
    await writeFile(config.tokenFile, 'ct1.three');
    gateway.last.gateway.session.close(ErrorCode.Revoked, 'the key was rotated');
    await until(() => gateway.ends.length === 2);
    expect(gateway.requests.map((request) => request.headers.authorization)).to.deep.equal([
      'Bearer ct1.two',
      'Bearer ct1.three',
    ]);
  });

  it('applies CONFIG to pools and buffers at once, by generation', async () => {
    await start();
    const configure = (generation: number, maxConcurrentRequests: number) => {
      const settings = defaultSettings();
      const maxLongRunningRequests = 10 * maxConcurrentRequests;
      const buffers = { maxStreamBufferBytes: 65_536, maxBufferBytes: 2 ** 20 };
      const limits = { maxConcurrentRequests, maxLongRunningRequests, ...buffers };
      gateway.last.gateway.configure({ ...settings, generation, limits, future: { field: 1 } });
    };
    configure(4, 80);
    await until(() => agent.state().generation === 4);
    await until(() => gateway.last.gateway.freeSlots('ordinary') === 80);
    expect(agent.state().limit).to.deep.equal({ ordinary: 80, longRunning: 800 });
    configure(3, 5);
    configure(5, 100);
    await until(() => agent.state().generation === 5);
    expect(agent.state().limit).to.deep.equal({ ordinary: 100, longRunning: 1_000 });
    gateway.last.gateway.configure({ generation: 'broken' });
    const owner = gateway.last.open({}, true);
    await over(owner);
    expect(owner.text, 'a broken CONFIG ends nothing').to.equal('ok');
  });

  it('reconnects by itself after its session was cut, and fails what ran', async () => {
    await start();
    upstream.answer = (_, response) => response.write('x');
    const owner = gateway.last.open({}, true);
    await until(() => owner.text === 'x');
    const first = gateway.last;
    first.gateway.session.close(ErrorCode.Internal, 'cut');
    await until(() => gateway.ends.length === 2 && gateway.last.readies.length > 0);
    await until(() => upstream.last.isAborted);
    expect(gateway.last.readies[0]?.slots.ordinary).to.be.within(63, 64);
    await until(() => gateway.last.gateway.freeSlots('ordinary') === 64);
    await until(() => agent.state().sessions === 1);
    expect(agent.state()).to.deep.include({ streams: 0, queuedBytes: 0, bufferedBytes: 0 });
    expect(gateway.last.readies[0]?.instanceId).to.equal(first.readies[0]?.instanceId);
  });

  it('reports a broken upstream and its recovery', async () => {
    upstream.answer = (_, response) => response.writeHead(500).end('[+]ping ok\n[-]etcd failed\n');
    await start();
    await until(() => gateway.last.healths.length > 0);
    expect(parseHealthReport(gateway.last.healths[0])).to.include({ k8sHealthy: false, reason: 'NotReady' });
    expect(parseHealthReport(gateway.last.healths[0]).message).to.include('[-]etcd failed');
    const settings = defaultSettings();
    upstream.answer = (_, response) => response.end('{"gitVersion":"v1.34.2"}');
    gateway.last.gateway.configure({ ...settings, generation: 1, health: { intervalMs: 5 } });
    await until(() => gateway.last.healths.length > 1);
    const recovered = parseHealthReport(gateway.last.healths[1]);
    expect(recovered).to.include({ k8sHealthy: true, reason: 'Healthy', kubernetesVersion: 'v1.34.2' });
  });

  it('drains on stop: running requests finish, then nothing is left', async () => {
    await start();
    let finish = () => {};
    upstream.answer = (_, response) => {
      response.write('first ');
      finish = () => response.end('last');
    };
    const owner = gateway.last.open({}, true);
    await until(() => owner.text === 'first ');
    const stopped = agent.stop(NEVER);
    await until(() => gateway.last.leavings.length === 1);
    expect(gateway.last.leavings[0]?.code).to.equal(ErrorCode.Draining);
    finish();
    await stopped;
    expect(owner.text).to.equal('first last');
    expect(owner.ends).to.equal(1);
    expect(agent.state()).to.deep.include({ sessions: 0, streams: 0, bufferedBytes: 0, upstreamConnections: 0 });
    expect(agent.state().running).to.deep.equal({ ordinary: 0, longRunning: 0 });
    await until(() => upstream.connections === 0);
  });

  it('cuts what has not finished when its time to drain is over', async () => {
    await start();
    upstream.answer = (_, response) => response.write('x');
    const owner = gateway.last.open({ isLongRunning: true, deadlineMs: 0 }, true);
    await until(() => owner.text === 'x');
    await agent.stop(AbortSignal.timeout(1));
    await until(() => upstream.last.isAborted);
    await over(owner);
    expect(owner.ends).to.equal(0);
  });
});
