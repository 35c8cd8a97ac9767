import { expect } from 'chai';
import type { Pod } from '../../../hack/lab/api/pod.ts';
import { isAlive } from '../../../hack/lab/processes/identity.ts';
import { until } from '../../../hack/lab/until.ts';
import { BigList } from '../../support/big-list.ts';
import { opsText, type RunningPod } from '../../support/installed-lab.ts';
import { describeLife, identities } from '../../support/life.ts';
import type { SlowDownload } from '../../support/slow-download.ts';
import { type SteadyClient, told } from '../../support/steady-client.ts';
import { together } from '../../support/together.ts';
import type { WatchClient } from '../../support/watch-client.ts';

const AGENT_PORT = 8081;
/** Old agents have watches, so each of them stays for exactly this long. */
const DRAIN = '5s';

/** Changes of the spec that need new pods. */
const ROLLOUTS = {
  image: { agent: { image: 'registry.example/other/clustertunnel:0.1.0' } },
  resources: { agent: { resources: { limits: { memory: '300Mi' } } } },
  drain: { timeouts: { drain: '6s' } },
} as const;
const LIMITS = 'limits';

/** What a user has under way while something happens to his tunnel. */
interface Work {
  readonly requests: SteadyClient;
  readonly watch: WatchClient;
  readonly download: SlowDownload;
}

describeLife('life: a spec changes', { targets: 0 }, (life) => {
  let big: BigList;

  const hub = () => life().lab.lab.hub;
  const begin = async (tunnel: string): Promise<Work> => {
    const [watch, download] = await Promise.all([life().watch(tunnel), life().download(tunnel, big.path)]);
    return { requests: life().steady(tunnel), watch, download };
  };
  const isEnding = async ({ pod }: RunningPod) => {
    const { metadata } = await hub().client.get<Pod>(`/api/v1/namespaces/${pod.namespace}/pods/${pod.pod}`);
    return metadata.deletionTimestamp === undefined ? undefined : true;
  };
  const note = (name: string) =>
    life().lab.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' } });

  before(async () => {
    const names = [...Object.keys(ROLLOUTS), LIMITS];
    const [list] = await Promise.all([
      BigList.write(hub()),
      ...names.map((name) => life().create(name, { timeouts: { drain: DRAIN } })),
    ]);
    big = list;
    await Promise.all(names.map((name) => life().ready(name)));
  });

  it('new limits reach the running agent: nothing restarts, and no client sees it', async () => {
    const { requests, watch, download } = await begin(LIMITS);
    const before = await life().agents(hub(), LIMITS, 1);
    await life().change(LIMITS, { limits: { maxConcurrentRequests: 7 }, timeouts: { request: '90s' } });
    const [agent] = life().lab.agents(hub(), LIMITS);
    if (agent === undefined) throw new Error('no agent runs');
    await until('the new limit at the agent', async () => {
      const state = JSON.parse(await opsText(agent, AGENT_PORT, '/debug/state')) as { limit: { ordinary: number } };
      return state.limit.ordinary === 7 || undefined;
    });
    await life().ready(LIMITS);
    await requests.next('a good request under the new limits', ({ status }) => status === 200);
    const { body, isComplete } = await download.finish();
    expect(isComplete && big.isWhole(body), 'the download that ran meanwhile is whole').to.equal(true);
    await Promise.all([requests.stop(), watch.stop()]);
    expect(requests.failures.map(told)).to.deep.equal([]);
    expect(watch.ends).to.deep.equal([]);
    expect(await life().agents(hub(), LIMITS, 1)).to.deep.equal(before);
  });

  const rollout = async (name: keyof typeof ROLLOUTS): Promise<void> => {
    const { requests, watch, download } = await begin(name);
    const [former] = life().lab.agents(hub(), name);
    if (former === undefined) throw new Error('no agent runs');
    const readyBefore = life().pastOf(name, 'Ready').length;

    await life().change(name, ROLLOUTS[name]);
    await until('the end of the old pod to be asked for', () => isEnding(former));
    await life().ready(name);
    await requests.next('a good request through the new agent', ({ status }) => status === 200);
    expect(isAlive(former), 'the old agent finishes what it has').to.equal(true);
    const { body, isComplete, words } = await download.finish();
    expect(isComplete && big.isWhole(body), `the download is whole: ${words}`).to.equal(true);
    await watch.until('the watch goes on elsewhere', () => watch.ends.length > 0 && watch.isOpen);
    await note(`after-${name}`);
    await watch.until('news through the watch', () => watch.seen.has(`after-${name}`));

    await Promise.all([requests.stop(), watch.stop()]);
    expect(
      watch.ends.map(({ how }) => how),
      'ends of the watch',
    ).to.deep.equal(['clean']);
    expect(requests.failures.map(told), 'failed requests').to.deep.equal([]);
    const during = life().pastOf(name, 'Ready').slice(readyBefore);
    expect(
      during.filter(({ status }) => status !== 'True'),
      'times when it was not Ready',
    ).to.deep.equal([]);
    const [now] = await life().agents(hub(), name, 1);
    expect(now, 'another pod').not.to.equal(identities([former])[0]);
  };

  together({
    'a new image rolls the pods: the next one is Ready before the old one goes, and no request fails': () =>
      rollout('image'),
    'so do new resources': () => rollout('resources'),
    'so does a new drain timeout': () => rollout('drain'),
  });
});
