import { expect } from 'chai';
import type { SpecInput } from '../../crds/types.ts';
import { until } from '../../hack/lab/until.ts';
import { type Call, type Client, whole } from '../support/gateway-fixture.ts';
import { opsText } from '../support/installed-lab.ts';
import { describePlayed, TUNNEL } from '../support/played-target.ts';

const WATCHES = 200;
const PODS = `/clusters/${TUNNEL}/api/v1/namespaces/default/pods`;
/** An edit is in force after this time, in both processes. */
const SOON_MS = 5_000;

/** One edit of the spec, and what says the same at the gateway and at the agent: the part of what is in force there. */
interface Edit {
  readonly field: string;
  readonly spec: SpecInput;
  /** Of the operator's /debug/state. */
  readonly gateway?: Readonly<
    Partial<Record<'admission' | 'timeouts' | 'circuitBreaker' | 'cache' | 'health' | 'session', object>>
  >;
  /** Of the agent's. */
  readonly agent?: object;
}

const limit = (field: string, value: string | number, at: Omit<Edit, 'field' | 'spec'>): Edit => {
  return { field: `limits.${field}`, spec: { limits: { [field]: value } } as SpecInput, ...at };
};
/** A timeout whose name in ms is the same at both ends. */
const timeout = (field: string, seconds: number, at: Omit<Edit, 'field' | 'spec'> = {}): Edit => {
  const timeouts = { [`${field}Ms`]: seconds * 1_000 };
  const spec = { timeouts: { [field]: `${seconds}s` } } as SpecInput;
  return { field: `timeouts.${field}`, spec, gateway: { timeouts, ...at.gateway }, agent: { timeouts } };
};

const MEBIBYTE = 2 ** 20;
const EDITS: readonly Edit[] = [
  limit('maxConcurrentRequests', 7, {
    gateway: { session: { workers: { ordinary: 7 } } },
    agent: { limits: { maxConcurrentRequests: 7 } },
  }),
  limit('maxLongRunningRequests', 9, {
    gateway: { session: { workers: { longRunning: 9 } } },
    agent: { limits: { maxLongRunningRequests: 9 } },
  }),
  limit('maxQueuedRequests', 11, { gateway: { admission: { maxQueuedRequests: 11 } } }),
  limit('maxStreamsPerSession', 13, {
    gateway: { session: { settings: { maxStreams: 13 } } },
    agent: { limits: { maxStreamsPerSession: 13 } },
  }),
  limit('maxStreamBufferBytes', '128Ki', {
    gateway: { session: { settings: { maxWindowBytes: MEBIBYTE / 8 } } },
    agent: { limits: { maxStreamBufferBytes: MEBIBYTE / 8 } },
  }),
  limit('maxBufferBytes', '2Mi', { agent: { limits: { maxBufferBytes: 2 * MEBIBYTE } } }),
  {
    field: 'limits.rateLimit',
    spec: { limits: { rateLimit: { requestsPerSecond: 17, burst: 19 } } },
    gateway: { admission: { rateLimit: { requestsPerSecond: 17, burst: 19 } } },
  },
  timeout('connect', 3),
  timeout('upstreamHeaders', 4),
  timeout('request', 5),
  timeout('backpressure', 6),
  timeout('controlWrite', 7, { gateway: { session: { settings: { controlWriteMs: 7_000 } } } }),
  timeout('dataWrite', 8, { gateway: { session: { settings: { dataWriteMs: 8_000 } } } }),
  timeout('disconnectGrace', 9),
  timeout('drain', 11),
  {
    field: 'compression',
    spec: { compression: { mode: 'Off', minBytes: '32Ki' } },
    agent: { compression: { mode: 'Off', minBytes: 32 * 1024 } },
  },
  {
    field: 'circuitBreaker',
    spec: { circuitBreaker: { failureThreshold: 4, window: '9s', openDuration: '3s', maxOpenDuration: '1m' } },
    gateway: { circuitBreaker: { failureThreshold: 4, windowMs: 9_000, openMs: 3_000, maxOpenMs: 60_000 } },
  },
  {
    field: 'cache',
    spec: { cache: { enabled: false, ttl: '3s', maxBytes: '1Mi' } },
    gateway: { cache: { enabled: false, ttlMs: 3_000, maxBytes: MEBIBYTE } },
  },
  {
    field: 'health',
    spec: { health: { interval: '2s', timeout: '700ms', failureThreshold: 5 } },
    gateway: { health: { intervalMs: 2_000, timeoutMs: 700, failureThreshold: 5 } },
    agent: { health: { intervalMs: 2_000 } },
  },
];

describePlayed('live limits', {}, (target) => {
  let client: Client;
  let watches: Call[];
  /** Bodies of watches that ended, however they did. */
  let ended: number;
  let events: number;
  const playing = new Set<(text: string) => void>();

  before(async function () {
    this.timeout(60_000);
    await target().agent.ready();
    ended = 0;
    events = 0;
    target().upstream.answer = ({ url = '' }, response) => {
      if (!url.includes('watch=')) return void response.end('{"gitVersion":"v1.36.3"}');
      response.flushHeaders();
      playing.add((text) => response.write(text));
    };
    client = target().client('h2');
    const { token } = target();
    watches = Array.from({ length: WATCHES }, () => client.call({ path: `${PODS}?watch=true`, token }));
    for (const { answer } of watches) {
      const { body } = await answer;
      body.on('data', () => {
        events += 1;
      });
      body.once('close', () => {
        ended += 1;
      });
    }
    await until('all watches at the API server', () => playing.size === WATCHES || undefined);
  });

  after(() => {
    for (const { cancel } of watches) cancel();
  });

  const edit = (spec: SpecInput) =>
    target().lab.hub(['patch', 'ct', TUNNEL, '--type=merge', '-p', JSON.stringify({ spec })]);
  /** Each watch brings what the API server says now. */
  const expectFlow = async () => {
    const before = events;
    for (const say of playing) say('{"type":"BOOKMARK","object":{}}\n');
    await until('an event on each watch', () => events >= before + WATCHES || undefined);
    expect(ended, 'watches that were cut').to.equal(0);
  };
  const get = () => whole(client, { path: PODS, token: target().token });

  for (const { field, spec, gateway, agent } of EDITS) {
    it(`an edit of ${field} is in force within ${SOON_MS / 1_000} s, and no stream is cut`, async () => {
      const { pid } = target().agent;
      await edit(spec);
      await until(
        `${field} at both ends`,
        async () => {
          const [{ tunnels }, { settings }] = await Promise.all([target().lab.operatorState(), target().agent.state()]);
          const [tunnel] = tunnels;
          const { session = {}, ...rest } = gateway ?? {};
          const isSo = has(tunnel, rest) && has(tunnel?.sessions[0], session) && has(settings, agent ?? {});
          return isSo || undefined;
        },
        SOON_MS,
      );
      await expectFlow();
      expect(target().agent.pid).to.equal(pid);
    });
  }

  /** The first answer that the gateway refuses for this cause. */
  const refusal = (code: string) =>
    until(
      `an answer with ${code}`,
      async () => {
        const answer = await get();
        return answer.status === 429 && causeOf(answer.text) === code ? answer : undefined;
      },
      SOON_MS,
    );

  it('a rate of one a second refuses the second request, and is counted by its code', async () => {
    await edit({ limits: { rateLimit: { requestsPerSecond: 1, burst: 1 }, maxStreamsPerSession: 2_000 } });
    expect((await refusal('rate_limited')).headers['retry-after']).to.equal('1');
    const metrics = await opsText(target().lab.operator(), 8080, '/metrics');
    expect(metrics).to.match(/clustertunnel_requests_refused_total\{code="rate_limited"\} [1-9]/);
    await expectFlow();
  });

  it('beyond its streams a session takes no more, though the watches run on', async () => {
    const rateLimit = { requestsPerSecond: 500, burst: 500 };
    // 200 watches take more than the buffers that they were left with: nobody else had room.
    await edit({ limits: { rateLimit, maxBufferBytes: '32Mi', maxStreamsPerSession: 5 } });
    expect((await refusal('stream_limit')).headers['retry-after']).to.equal('1');
    await edit({ limits: { maxStreamsPerSession: 2_000 } });
    await until('a request that is served', async () => ((await get()).status === 200 ? true : undefined), SOON_MS);
    await expectFlow();
  });

  it('nothing is left when the watches have ended', async () => {
    for (const { cancel } of watches) cancel();
    await until('the end of all watches', () => ended === WATCHES || undefined);
    await target().rest();
  });
});

function causeOf(status: string): string {
  return JSON.parse(status).details.causes[0].reason;
}

/** Whether all that `part` says is so in `whole`. */
function has(wholeOf: unknown, part: object): boolean {
  return Object.entries(part).every(([name, wanted]) => {
    const value = (wholeOf as Record<string, unknown> | undefined)?.[name];
    if (typeof wanted === 'object' && wanted !== null) return has(value, wanted as object);
    return value === wanted;
  });
}
