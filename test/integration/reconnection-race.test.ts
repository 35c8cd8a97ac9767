import { expect } from 'chai';
import { until } from '../../hack/lab/until.ts';
import { ErrorCode } from '../../tunnel/wire/codes.ts';
import { AgentFront, type Fate, type Link } from '../support/agent-front.ts';
import { bodyOf } from '../support/gateway-fixture.ts';
import { describePlayed, TUNNEL } from '../support/played-target.ts';

const PATH = `/clusters/${TUNNEL}/api/v1/namespaces/default/configmaps`;
/** Longer than silence takes to be noticed, and than any attempt that nobody answers. */
const BACK_MS = 60_000;
const REQUESTS = 20;

/** Ten ways to lose a session, all in one turn of the event loop; what comes first is another one each round. */
const LOSSES: readonly ((link: Link) => void)[] = [
  (link) => link.goaway(ErrorCode.Draining),
  (link) => link.goaway(ErrorCode.Internal),
  (link) => link.text(),
  (link) => link.garbage(),
  (link) => link.close(),
  (link) => link.noise(),
  (link) => link.dropGateway(),
  (link) => link.end(),
  (link) => link.reset(),
  (link) => link.destroy(),
];

/** What the attempts after each loss meet before one passes. */
const TROUBLES: Readonly<Record<string, readonly Fate[]>> = {
  'TCP and TLS': ['reset', 'closed', 'reset', 'closed'],
  'the upgrade refused': ['answered with 503', 'answered with 401', 'answered with garbage', 'answered with 503'],
  'sessions that end before their welcome': ['upgraded and reset', 'upgraded and closed', 'upgraded and sent away'],
  'a gateway that never welcomes, and one that never answers': ['upgraded and left alone', 'unanswered'],
};

let front: AgentFront | undefined;

const options = {
  spec: { reconnect: { minBackoff: '100ms', maxBackoff: '1s' } },
  front: async (gateway: { url: string; ca: string }) => {
    front = await AgentFront.open(gateway);
    return front;
  },
} as const;

/** The agent is the program in its own process, and so is the gateway; between them stands a front of the test's. */
describePlayed('reconnection race', options, (target) => {
  const between = (): AgentFront => {
    if (front === undefined) throw new Error('no front');
    return front;
  };
  const sessions = async (): Promise<number | undefined> => {
    try {
      return (await target().lab.counters())['sessions'];
    } catch {
      return undefined; // the operator is being restarted
    }
  };
  /** Resolves when there is one session by everybody's account, and no attempt to make another one. */
  const back = async (): Promise<void> => {
    const isBack = async () => {
      const { dial, sessions: ofAgent } = await target().agent.state();
      const counts = [between().open.length, ofAgent, await sessions()];
      return (dial === 'ready' && between().fates.length === 0 && counts.every((count) => count === 1)) || undefined;
    };
    await until('one session again', isBack, BACK_MS).catch((error: Error) => {
      throw new Error(`${error.message}: attempts ${between().past.join(', ')}; ${target().agent.log}`);
    });
    const made = between().past.length;
    const client = target().client('h2');
    for (let at = 0; at < REQUESTS; at++) {
      const { status, body } = await client.call({ path: PATH, token: target().token }).answer;
      expect([status, await bodyOf({ body })]).to.deep.equal([200, 'ok']);
    }
    client.close();
    expect(between().past.length, 'attempts beside a session that is well').to.equal(made);
    expect(between().most, 'attempts under way at once').to.equal(1);
  };
  /** The one link there is. */
  const link = (): Link => {
    const { open } = between();
    expect(open).to.have.length(1);
    return open[0] as Link;
  };

  before(() => back());

  after(() => front?.close());

  Object.entries(TROUBLES).forEach(([trouble, fates], round) => {
    it(`ten losses at once, then ${trouble}: one attempt at a time, one session in the end`, async () => {
      const made = between().past.length;
      between().fates.push(...fates);
      const losing = link();
      for (const lose of [...LOSSES.slice(round), ...LOSSES.slice(0, round)]) lose(losing);
      await back();
      expect(between().past.slice(made)).to.deep.equal([...fates, 'passes']);
    });
  });

  it('the gateway is killed in the middle of it, and comes back', async () => {
    const made = between().past.length;
    const { pid } = target().lab.operator();
    const losing = link();
    between().fates.push('answered with 503', 'reset');
    process.kill(pid, 'SIGKILL');
    for (const lose of LOSSES.slice(5)) lose(losing);
    await until('another operator', async () => {
      const isUp = (await sessions()) !== undefined && target().lab.operator().pid !== pid;
      return isUp || undefined;
    });
    await back();
    expect(between().past.slice(made, made + 2)).to.deep.equal(['answered with 503', 'reset']);
  });

  it('a network that swallows everything: the session is given up, and what comes late changes nothing', async () => {
    const silent = link();
    silent.silence();
    between().fates.push('answered with 503', 'upgraded and reset');
    await until('the next session', () => between().open.some((each) => each !== silent) || undefined, BACK_MS);
    silent.release();
    await back();
  });
});
