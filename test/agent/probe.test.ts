import { expect } from 'chai';
import { probe, probeIdentity } from '../../agent/probe.ts';
import { type AccessSettings, UNSAID_ACCESS } from '../../crds/access-settings.ts';
import { parseHealthReport } from '../../crds/health-report.ts';
import { Upstream } from '../../upstream/upstream.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { StubUpstream } from '../support/stub-upstream.ts';
import { until } from '../support/turns.ts';

const NEVER = new AbortController().signal;

describe('agent/probe', () => {
  let stub: StubUpstream;
  let upstream: Upstream;
  let unauthorized = 0;
  const clock = new ManualClock();

  beforeEach(async () => {
    stub = await StubUpstream.start();
    upstream = new Upstream({ url: stub.url, ca: stub.ca, connectMs: 10_000, clock });
    unauthorized = 0;
  });
  afterEach(async () => {
    await upstream.close();
    await stub.close();
  });

  const ask = (signal = NEVER, access: Partial<AccessSettings> = {}) => {
    const identity = () => probeIdentity({ ...UNSAID_ACCESS, ...access });
    const onUnauthorized = () => {
      unauthorized += 1;
    };
    return probe({ upstream, token: async () => 'own', onUnauthorized, identity, clock, timeoutMs: 5_000 }, signal);
  };
  /** Answers /readyz and /version. */
  const answers = (readyz: number, version: number) => {
    stub.answer = (request, response) => {
      const isVersion = request.url === '/version';
      response.writeHead(isVersion ? version : readyz).end(isVersion ? '{"gitVersion":"v1.34.1"}' : 'ok');
    };
  };

  for (const [readyz, version, isHealthy, reason] of [
    [200, 200, true, 'Healthy'],
    [200, 403, true, 'Healthy'],
    [403, 200, true, 'Healthy'],
    [404, 200, true, 'Healthy'],
    [403, 403, false, 'NotReady'],
    [500, 200, false, 'NotReady'],
    [401, 401, false, 'CredentialRefused'],
  ] as const) {
    it(`calls /readyz ${readyz} and /version ${version} ${reason}`, async () => {
      answers(readyz, version);
      expect(await ask()).to.include({ isHealthy, reason });
      expect(unauthorized).to.equal(readyz === 401 ? 1 : 0);
      expect(clock.pending, 'timers').to.equal(0);
    });
  }

  it('asks as the agent itself where users do', async () => {
    answers(200, 200);
    expect(await ask(NEVER, { mode: 'Agent', extras: ['example.com/scopes'] })).to.include({ isHealthy: true });
    expect(JSON.stringify(stub.received)).to.not.match(/impersonate/i);
  });

  it('takes the way of a user: without the right to impersonate nothing is healthy', async () => {
    stub.answer = (request, response) => {
      const asUser = request.headers['impersonate-user'];
      if (asUser === undefined) return response.end('ok');
      const message = `users "${asUser}" is forbidden: User "agent" cannot impersonate resource "users"`;
      return response.writeHead(403).end(JSON.stringify({ kind: 'Status', message }));
    };
    const result = await ask();
    expect(result).to.include({ isHealthy: false, reason: 'ImpersonationDenied' });
    expect(result.message).to.match(/may not impersonate users.*ClusterRoleBinding/);
    expect(stub.last.rawHeaders).to.include('clustertunnel:probe');
  });

  it('takes the way of a user who has every extra that may pass: without the right to them nothing is healthy', async () => {
    stub.answer = (request, response) => {
      const extra = request.headers['impersonate-extra-example.com%2fscopes'];
      if (extra === undefined) return response.end('{"gitVersion":"v1.34.1"}');
      const resource = 'resource "userextras/example.com/scopes" in API group "authentication.k8s.io"';
      const message = `userextras "${extra}" is forbidden: User "agent" cannot impersonate ${resource}`;
      return response.writeHead(403).end(JSON.stringify({ kind: 'Status', message }));
    };
    const result = await ask(NEVER, { extras: ['example.com/scopes', 'authentication.kubernetes.io/credential-id'] });
    expect(result).to.include({ isHealthy: false, reason: 'ImpersonationDenied' });
    expect(result.message).to.include('may not impersonate userextras/example.com/scopes, so users who have');
    expect(result.message).to.include('config/extras');
    expect(stub.last.rawHeaders.join()).to.not.include('kubernetes.io');
    expect(await ask()).to.include({ isHealthy: true });
  });

  it('says why the server cannot be reached', async () => {
    await stub.close();
    const result = await ask();
    expect(result).to.include({ isHealthy: false, reason: 'Unreachable' });
    expect(result.message).to.include('connection refused');
    stub = await StubUpstream.start();
  });

  it('gives up on a server that says nothing, and closes the connection', async () => {
    stub.answer = () => {};
    const result = ask();
    await until(() => stub.received.length === 1);
    clock.advance(5_000);
    expect(await result).to.include({ isHealthy: false, reason: 'Timeout' });
    await until(() => stub.last.isAborted);
  });

  it('does not read an endless answer', async () => {
    stub.answer = (_, response) => {
      const more = () => {
        while (response.write(Buffer.alloc(16_384)));
        response.once('drain', more);
      };
      more();
    };
    expect(await ask()).to.include({ isHealthy: false });
    await until(() => stub.last.isAborted);
  });

  it('ends when the agent stops', async () => {
    stub.answer = () => {};
    const stop = new AbortController();
    const result = ask(stop.signal);
    await until(() => stub.received.length === 1);
    stop.abort(new Error('the agent stops'));
    expect(await result).to.include({ isHealthy: false });
    await until(() => stub.last.isAborted && clock.pending === 0);
  });
});

describe('crds/health-report', () => {
  it('reads missing and wrong members as empty, and cuts long texts', () => {
    for (const document of [undefined, null, 7, {}, { k8sHealthy: 'yes', latencyMs: -1, reason: 9, inFlight: '3' }]) {
      expect(parseHealthReport(document)).to.deep.equal({
        ...{ k8sHealthy: false, reason: 'Unknown', message: '', kubernetesVersion: '' },
        ...{
          latencyMs: 0,
          memoryBytes: 0,
          heapBytes: 0,
          freeDiskBytes: undefined,
          loopDelayMs: 0,
          inFlight: 0,
          queued: 0,
          upstreamErrors: 0,
        },
      });
    }
    expect(parseHealthReport({ message: 'x'.repeat(5_000) }).message).to.have.length(512);
  });
});
