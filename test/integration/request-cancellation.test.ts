import { once } from 'node:events';
import type { ClientRequest, ServerResponse } from 'node:http';
import { request as requestHttp1 } from 'node:https';
import type { Duplex, Writable } from 'node:stream';
import { expect } from 'chai';
import { until } from '../../hack/lab/until.ts';
import { type Ask, bodyOf, type Call, type Client, PROTOCOLS, type Protocol } from '../support/gateway-fixture.ts';
import { describePlayed, type Rest, TUNNEL } from '../support/played-target.ts';

/** Workers of the agent. Each round takes all of them, so that a slot that is not given back is missed by the next. */
const WORKERS = 4;
const ROUNDS = 2;
/** Requests that find no free worker. */
const QUEUED = 6;
const ROOT = `/clusters/${TUNNEL}/api/v1/namespaces/default`;
const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

/** Where a request is when its client goes away. */
interface Stage {
  readonly name: string;
  readonly ask: Ask;
  /** What the API server does with it. */
  readonly play: (response: ServerResponse) => void;
  /** The least that the API server has of the request's body, in bytes. */
  readonly bodyBytes?: number;
  /** Brings a request to this stage. */
  readonly reach: (call: Call) => Promise<unknown> | undefined;
}

const STAGES: readonly Stage[] = [
  { name: 'before the head', ask: { path: `${ROOT}/configmaps?` }, play: () => {}, reach: () => undefined },
  {
    name: 'in the middle of its own body',
    ask: { path: `${ROOT}/configmaps?`, method: 'POST', body: 'open' },
    bodyBytes: 1_000_000,
    play: () => {},
    reach: async ({ upload }) => pour(upload),
  },
  {
    name: "in the middle of the answer's body",
    ask: { path: `${ROOT}/configmaps?` },
    play: pour,
    reach: async ({ answer }) => once((await answer).body, 'data'),
  },
  {
    name: 'while it leaves the answer unread',
    ask: { path: `${ROOT}/configmaps?` },
    play: pour,
    reach: async ({ answer }) => (await answer).body.pause(),
  },
  {
    name: 'during a watch',
    ask: { path: `${ROOT}/configmaps?watch=true&` },
    play: (response) => response.write('{"type":"BOOKMARK","object":{}}\n'),
    reach: async ({ answer }) => once((await answer).body, 'data'),
  },
];

/** How clients go away. */
const WAYS: Readonly<Record<string, (client: Client, calls: readonly Call[]) => void>> = {
  'requests cancelled': (_, calls) => {
    for (const call of calls) call.cancel();
  },
  'connections broken': (client) => client.close(),
};

describePlayed('request cancellation', { spec: { limits: { maxConcurrentRequests: WORKERS } } }, (target) => {
  let atRest: Rest;
  /** Requests that the API server heard of and whose clients went away. */
  let left = 0;
  let marks = 0;

  const nextMark = (): string => {
    marks += 1;
    return `mark=${marks}.`;
  };
  /** What the API server saw of the requests with this mark. */
  const seen = (mark: string) => target().upstream.received.filter(({ url }) => url.includes(mark));
  const ask = (client: Client, { path, ...rest }: Ask, mark: string): Call =>
    client.call({ ...rest, token: target().token, path: `${path}${mark}` });
  /** As many at once as there are workers. */
  const askAll = (client: Client, question: Ask, mark: string): Call[] =>
    Array.from({ length: WORKERS }, () => ask(client, question, mark));
  /** How the API server answers; the agent's own probes as ever. */
  const play = (script: (response: ServerResponse) => void): void => {
    target().upstream.answer = ({ url }, response) => {
      if (url?.includes('mark=')) script(response);
      else response.end('{"gitVersion":"v1.36.3"}');
    };
  };
  const heardOf = (mark: string) =>
    until('the requests at the API server', () => seen(mark).length === WORKERS || undefined);
  /** Ordinary requests on every worker at once: none is still taken. */
  const proveFree = async (protocol: Protocol): Promise<void> => {
    play((response) => response.end('free'));
    const client = target().client(protocol);
    const calls = askAll(client, { path: `${ROOT}/configmaps?` }, nextMark());
    const bodies = await Promise.all(calls.map(async ({ answer }) => bodyOf(await answer)));
    client.close();
    expect(bodies).to.deep.equal(Array.from({ length: WORKERS }, () => 'free'));
  };

  before(async () => {
    await target().agent.ready();
    // What is kept for later, connections to the API server for one, belongs to rest. And before it heard of its limit
    // the agent announced more slots than it has workers: they are used up first.
    const granted = async () => (await target().rest()).agent.granted.ordinary;
    do for (const protocol of PROTOCOLS) await proveFree(protocol);
    while ((await granted()) > WORKERS);
    atRest = await target().rest();
  });

  /** All workers taken by requests at this stage, whose clients then leave. */
  const leaveAt = async (stage: Stage, protocol: Protocol, leave: (typeof WAYS)[string]): Promise<void> => {
    const mark = nextMark();
    play(stage.play);
    const client = target().client(protocol);
    const calls = askAll(client, stage.ask, mark);
    await Promise.all(calls.map(stage.reach));
    await heardOf(mark);
    const { bodyBytes: least = 0 } = stage;
    await until('the stage', () => seen(mark).every(({ bodyBytes }) => bodyBytes >= least) || undefined);
    expect(seen(mark).filter(({ isAborted }) => isAborted)).to.deep.equal([]);
    leave(client, calls);
    await until('their end at the API server', () => seen(mark).every(({ isAborted }) => isAborted) || undefined);
    // A body that was cut must not have looked like a whole one.
    expect(seen(mark).filter(({ isWhole }) => isWhole)).to.have.length(stage.ask.body === 'open' ? 0 : WORKERS);
    client.close();
    left += WORKERS;
  };

  for (const protocol of PROTOCOLS) {
    for (const stage of STAGES) {
      for (const [way, leave] of Object.entries(WAYS)) {
        it(`${protocol}, ${stage.name}, ${way}: the API server sees it, and nothing of it is left anywhere`, async () => {
          for (let round = 0; round < ROUNDS; round++) await leaveAt(stage, protocol, leave);
          await proveFree(protocol);
          await target().restAsBefore(atRest);
        });
      }
    }

    it(`${protocol}, while it waits for a worker: the API server never hears of it`, async () => {
      play(() => {});
      const [holding, waiting] = [nextMark(), nextMark()];
      const client = target().client(protocol);
      const held = askAll(client, { path: `${ROOT}/configmaps?` }, holding);
      await heardOf(holding);
      const queued = Array.from({ length: QUEUED }, () => ask(client, { path: `${ROOT}/configmaps?` }, waiting));
      const inQueue = async (count: number) => (await target().look()).gateway['waiting'] === count || undefined;
      await until('the queue', () => inQueue(QUEUED));
      for (const call of queued) call.cancel();
      await until('an empty queue', () => inQueue(0));
      for (const call of held) call.cancel();
      client.close();
      left += WORKERS;
      await proveFree(protocol);
      await target().restAsBefore(atRest);
      expect(seen(waiting)).to.deep.equal([]);
    });
  }

  describe('upgrades', () => {
    /** Connections as the API server sees them. */
    let upgraded: Duplex[];
    const exec = (): ClientRequest => {
      const { lab, token } = target();
      const headers = { authorization: `Bearer ${token}`, connection: 'Upgrade', upgrade: 'websocket' };
      const url = `${lab.lab.gatewayUrl}${ROOT}/pods/web/exec?command=sh&stdin=true`;
      const request = requestHttp1(url, { ca: lab.gatewayCa, headers, agent: false });
      request.on('error', () => {}); // its own leaving
      request.end();
      return request;
    };
    const take = (socket: Duplex): void => {
      upgraded.push(socket);
      socket.on('error', () => {}); // a connection that is broken off: what the test waits for
      socket.once('end', () => socket.destroy());
      socket.resume();
    };
    const ended = async (): Promise<void> => {
      await until('their end at the API server', () => upgraded.every(({ destroyed }) => destroyed) || undefined);
      left += WORKERS;
      await target().restAsBefore(atRest);
    };

    beforeEach(() => {
      upgraded = [];
    });

    it('before the 101: the connection to the API server is closed', async () => {
      target().upstream.upgrade = (_, socket) => take(socket);
      const requests = Array.from({ length: WORKERS }, exec);
      await until('the requests at the API server', () => upgraded.length === WORKERS || undefined);
      for (const request of requests) request.destroy();
      await ended();
    });

    it('with bytes under way in both directions: likewise', async () => {
      target().upstream.upgrade = (_, socket) => {
        take(socket);
        socket.write(SWITCHED);
        pour(socket);
      };
      const switched = async (): Promise<Duplex> => {
        const [, socket] = (await once(exec(), 'upgrade')) as [unknown, Duplex];
        pour(socket);
        await once(socket, 'data');
        return socket;
      };
      const sockets = await Promise.all(Array.from({ length: WORKERS }, switched));
      for (const socket of sockets) socket.destroy();
      await ended();
    });
  });

  describe('afterwards', () => {
    it('the agent counts every one of them as cancelled, and nothing as failed', async () => {
      const lines = (await target().agent.metrics()).split('\n');
      const counts = new Map<string, number>();
      for (const line of lines) {
        const [, outcome, count] = /^clustertunnel_agent_exchanges_total\{outcome="(\w+)".*\} (\d+)$/.exec(line) ?? [];
        if (outcome !== undefined) counts.set(outcome, (counts.get(outcome) ?? 0) + Number(count));
      }
      expect([...counts.keys()]).to.have.members(['OK', 'CANCEL']);
      expect(counts.get('CANCEL')).to.equal(left);
    });
  });
});

/** Writes as fast as it is taken, until somebody closes it. */
function pour(into: Writable): void {
  const chunk = Buffer.alloc(64 * 1024, 'x');
  const more = (): void => {
    let isTaken = true;
    while (isTaken && !into.destroyed) isTaken = into.write(chunk);
  };
  into.on('error', () => {}); // written to while it was being closed
  into.on('drain', more);
  more();
}
