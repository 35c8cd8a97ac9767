import { expect } from 'chai';
import { until } from '../../../hack/lab/until.ts';
import { BigList } from '../../support/big-list.ts';
import { opsText } from '../../support/installed-lab.ts';
import { describeLife, type Life } from '../../support/life.ts';
import { ask, told } from '../../support/steady-client.ts';
import { together } from '../../support/together.ts';

/** Local and Manual tunnels for the same event, each with its agent's cluster. */
const LOCAL = 'home';
const MANUAL = 'far';
/** Manual, with requests that never end and a short drain: nobody but the gateway ends them. */
const STUCK = 'stuck';
const AGENT_PORT = 8081;

describeLife('life: a tunnel is suspended, and deleted', { targets: 1 }, (life) => {
  let big: BigList;
  let bigAtTarget: BigList;

  const clusterOf = (tunnel: string) => (tunnel === LOCAL ? life().lab.lab.hub : life().lab.target);
  const listAt = (tunnel: string) => (tunnel === LOCAL ? big : bigAtTarget);
  const replicasOf = async (tunnel: string): Promise<number> => {
    const path = `/apis/apps/v1/namespaces/clustertunnel-agent/deployments/clustertunnel-agent-${tunnel}`;
    const { spec } = await clusterOf(tunnel).client.get<{ spec: { replicas: number } }>(path);
    return spec.replicas;
  };

  before(async () => {
    const names = [LOCAL, MANUAL, STUCK];
    // Nobody waits that long: an answer that comes at all while a tunnel is suspended was not waited for.
    const timeouts = { disconnectGrace: '5m' };
    await life().create(LOCAL, { timeouts });
    await life().create(MANUAL, { timeouts, agent: { placement: 'Manual' } });
    await life().create(STUCK, { timeouts: { drain: '3s' }, agent: { placement: 'Manual' } });
    [big, bigAtTarget] = await Promise.all([BigList.write(clusterOf(LOCAL)), BigList.write(clusterOf(MANUAL))]);
    for (const name of [MANUAL, STUCK]) await life().lab.applyManifest(name, life().lab.target);
    await Promise.all(names.map((name) => life().ready(name)));
  });

  const suspended = async (tunnel: string): Promise<void> => {
    const download = await life().download(tunnel, listAt(tunnel).path);
    const requests = life().steady(tunnel);
    await requests.next('a good request before', ({ status }) => status === 200);
    await life().change(tunnel, { suspend: true });

    const refused = await requests.next('a refusal', ({ status }) => status === 503);
    expect(refused, told(refused)).to.include({ code: 'cluster_offline', retryAfterSeconds: undefined });
    expect(refused.words).to.contain(`tunnel "${tunnel}" is suspended: set spec.suspend to false to use it`);
    const conditions = ['AgentAvailable', 'Connected', 'Ready'].map((type) =>
      life().condition(tunnel, type, { status: 'False', reason: 'Suspended' }),
    );
    await Promise.all(conditions);
    const { type } = await life().event(tunnel, 'Suspended', 'Ready is False');
    expect(type).to.equal('Warning');

    const { body, isComplete, words } = await download.finish();
    expect(isComplete && listAt(tunnel).isWhole(body), `the running download is whole: ${words}`).to.equal(true);
    const bad = (await requests.stop()).filter(({ status, code }) => status !== 200 && code !== 'cluster_offline');
    expect(bad.map(told), 'every other end of a request').to.deep.equal([]);
    await life().condition(tunnel, 'Ready', { status: 'False', reason: 'Suspended' });
  };

  const resumed = async (tunnel: string): Promise<void> => {
    const requests = life().steady(tunnel);
    await life().change(tunnel, { suspend: false });
    await life().ready(tunnel);
    await requests.next('a good request', ({ status }) => status === 200);
    await requests.stop();
    const bad = requests.failures.filter(({ code }) => code !== 'cluster_offline');
    expect(bad.map(told), 'every other end of a request').to.deep.equal([]);
    await life().event(tunnel, 'RequestsGetThrough', 'Ready is True');
  };

  together({
    'suspended, Local: the running download ends whole, new requests are refused at once, the agent goes': async () => {
      await suspended(LOCAL);
      expect(await replicasOf(LOCAL)).to.equal(0);
      await life().agents(clusterOf(LOCAL), LOCAL, 0);
    },
    'suspended, Manual: the same, and the agent waits outside without taking it for a rejection': async () => {
      const before = await life().agents(clusterOf(MANUAL), MANUAL, 1);
      await suspended(MANUAL);
      await until('an attempt of the agent', async () => (await dials(life(), MANUAL, 'failed')) > 0 || undefined);
      expect(await dials(life(), MANUAL, 'rejected')).to.equal(0);
      expect(await life().agents(clusterOf(MANUAL), MANUAL, 1)).to.deep.equal(before);
    },
    'suspended with requests that never end: they are cut when the drain is over, the watch cleanly': () =>
      cutWhen(() => life().change(STUCK, { suspend: true }), 'Suspended'),
  });

  together({
    'resumed, Local: Ready by itself': async () => {
      await resumed(LOCAL);
      expect(await replicasOf(LOCAL)).to.equal(1);
    },
    'resumed, Manual: Ready by itself, with the agent that waited': async () => {
      const before = await life().agents(clusterOf(MANUAL), MANUAL, 1);
      await resumed(MANUAL);
      expect(await life().agents(clusterOf(MANUAL), MANUAL, 1)).to.deep.equal(before);
    },
  });

  /** The tunnel with requests that never end: `event` ends them. */
  const cutWhen = async (event: () => Promise<void>, reason: string, isOver = async () => {}): Promise<void> => {
    const download = await life().download(STUCK, bigAtTarget.path);
    // Before anything else: however long the rest takes, sockets swallow about 15 MB, and the list has 40.
    download.rest();
    const watch = await life().watch(STUCK);
    await event();
    await life().condition(STUCK, 'Ready', { status: 'False', reason });
    await watch.until('the end of the watch', () => watch.ends.length > 0);
    await watch.stop();
    expect(watch.ends[0]?.how).to.equal('clean');
    // A watch ends before the time to drain is over.
    await isOver();
    const { isComplete, body } = await download.finish();
    expect(isComplete, `a cut body looks whole: ${body.length} bytes`).to.equal(false);
  };

  const deleted = async (tunnel: string): Promise<void> => {
    const download = await life().download(tunnel, listAt(tunnel).path);
    const requests = life().steady(tunnel);
    await requests.next('a good request before', ({ status }) => status === 200);
    await life().remove(tunnel);

    const { message } = await life().condition(tunnel, 'Ready', { status: 'False', reason: 'Draining' });
    expect(message).to.match(/^1 session .*at the latest at \d{4}-\d\d-\d\dT/);
    const { type } = await life().event(tunnel, 'Draining', 'Ready is False');
    expect(type).to.equal('Warning');
    const refused = await requests.next('a refusal', ({ status }) => status !== 200);
    expect(refused.status, told(refused)).to.equal(404);
    expect(refused.words).to.contain(`clustertunnels.clustertunnel.io "${tunnel}" not found`);
    const stranger = await ask(life().client('bob'), `/clusters/${tunnel}/api/v1/namespaces/default`);
    expect(stranger.status, told(stranger)).to.equal(403);
    expect(life().isThere(tunnel), `it waits for the download; ${told(refused)}, ${told(stranger)}`).to.equal(true);

    const { body, isComplete, words } = await download.finish();
    expect(isComplete && listAt(tunnel).isWhole(body), `the running download is whole: ${words}`).to.equal(true);
    await life().gone(tunnel);
    const bad = (await requests.stop()).filter(({ status }) => status !== 200 && status !== 404);
    expect(bad.map(told), 'every other end of a request').to.deep.equal([]);
  };

  together({
    'deleted, Local: the running download ends whole, then everything of ours is gone': async () => {
      await deleted(LOCAL);
      await until('the garbage collection of its pods', async () => {
        return (await life().belongings(clusterOf(LOCAL), LOCAL)).length === 0 || undefined;
      });
    },
    'deleted, Manual: the same at the hub, and the agent is rejected from then on': async () => {
      await deleted(MANUAL);
      expect(await life().belongings(life().lab.lab.hub, MANUAL)).to.deep.equal([]);
      await until('a rejection', async () => (await dials(life(), MANUAL, 'rejected')) > 0 || undefined);
    },
    'deleted with requests that never end: the same, then it is gone': async () => {
      await life().change(STUCK, { suspend: false });
      await life().ready(STUCK);
      await cutWhen(
        () => life().remove(STUCK),
        'Draining',
        () => life().gone(STUCK),
      );
      expect(await life().belongings(life().lab.lab.hub, STUCK)).to.deep.equal([]);
    },
  });
});

/** How often the Manual agent's attempts ended so. */
async function dials({ lab }: Life, tunnel: string, result: 'failed' | 'rejected'): Promise<number> {
  const [agent] = lab.agents(lab.target, tunnel);
  if (agent === undefined) throw new Error('no agent runs');
  const metrics = await opsText(agent, AGENT_PORT, '/metrics');
  const count = new RegExp(`^clustertunnel_agent_dials_total\\{result="${result}"\\} (\\d+)`, 'm').exec(metrics)?.[1];
  return Number(count ?? 0);
}
