import { expect } from 'chai';
import { isStatus } from '../../../hack/lab/api/client.ts';
import { until } from '../../../hack/lab/until.ts';
import { BigList } from '../../support/big-list.ts';
import { AGENT_NAMESPACE, describeLife } from '../../support/life.ts';
import { adminKubeconfig, altered, kubeconfigSecret } from '../../support/remote-secret.ts';
import type { SlowDownload } from '../../support/slow-download.ts';
import { ask, type SteadyClient, told } from '../../support/steady-client.ts';
import type { WatchClient } from '../../support/watch-client.ts';

/** Ready when it happens, one of each placement. */
const LOCAL = 'home';
const MANUAL = 'far';
const REMOTE = 'near';
/** In other states when it happens. */
const SUSPENDED = 'suspended';
const LEAVING = 'leaving';
const REFUSED = 'refused';
const COMING = 'coming';
const EARLY = 'early';
const READY = [LOCAL, MANUAL, REMOTE] as const;
/** A change that restarts nothing. */
const NEWS = { limits: { maxConcurrentRequests: 9 } } as const;

describeLife('life: the operator is killed', { targets: 1 }, (life) => {
  let big: BigList;
  let agents: Map<string, string[]>;
  let requests: Map<string, SteadyClient>;
  let watches: Map<string, WatchClient>;
  let downloads: Map<string, SlowDownload>;

  const hub = () => life().lab.lab.hub;
  const clusterOf = (tunnel: string) => (tunnel === MANUAL || tunnel === REMOTE ? life().lab.target : hub());
  const remote = (secret: string) =>
    ({ agent: { placement: 'Kubeconfig', kubeconfigSecretRef: { name: secret } } }) as const;
  const forEach = async <T>(names: readonly string[], of: (name: string) => Promise<T> | T): Promise<Map<string, T>> =>
    new Map(await Promise.all(names.map(async (name) => [name, await of(name)] as const)));
  const deploymentOf = async (tunnel: string) => {
    const path = `/apis/apps/v1/namespaces/${AGENT_NAMESPACE}/deployments/clustertunnel-agent-${tunnel}`;
    try {
      return await clusterOf(tunnel).client.get<{ spec: { replicas: number } }>(path);
    } catch (error) {
      if (isStatus(error, 404)) return undefined;
      throw error;
    }
  };
  const execKubeconfig = () =>
    altered(adminKubeconfig(life().lab.target), { user: { exec: { command: '/bin/true' } } });
  /** Exactly one agent, which has exactly one key. */
  const hasOneOfEach = async (tunnel: string): Promise<void> => {
    expect(await life().keyCount(tunnel), 'keys').to.equal(1);
    await life().agents(clusterOf(tunnel), tunnel, 1);
  };

  /** Every state at once, then SIGKILL, and again while the next process starts. */
  before(async () => {
    await life().lab.apply(
      kubeconfigSecret('target', adminKubeconfig(life().lab.target)),
      kubeconfigSecret('refused', execKubeconfig()),
    );
    await Promise.all([LOCAL, SUSPENDED, LEAVING].map((name) => life().create(name)));
    await life().create(MANUAL, { agent: { placement: 'Manual' } });
    await life().create(REMOTE, remote('target'));
    await life().create(REFUSED, remote('refused'));
    [big] = await Promise.all([BigList.write(hub()), life().lab.applyManifest(MANUAL, life().lab.target)]);
    await Promise.all([...READY, SUSPENDED, LEAVING].map((name) => life().ready(name)));
    await life().condition(REFUSED, 'CredentialsReady', { status: 'False', reason: 'KubeconfigRefused' });
    await life().change(SUSPENDED, { suspend: true });
    await life().condition(SUSPENDED, 'Ready', { status: 'False', reason: 'Suspended' });
    await life().agents(hub(), SUSPENDED, 0);

    agents = await forEach(READY, (name) => life().agents(clusterOf(name), name, 1));
    requests = await forEach(READY, (name) => life().steady(name));
    watches = await forEach(READY, (name) => life().watch(name));
    downloads = await forEach([LOCAL, LEAVING], (name) => life().download(name, big.path));
    await life().remove(LEAVING);
    await life().condition(LEAVING, 'Ready', { status: 'False', reason: 'Draining' });

    await life().create(COMING);
    await until('the Deployment of a tunnel that comes up', () => deploymentOf(COMING));
    const { pid } = life().lab.operator();
    process.kill(pid, 'SIGSTOP');
    await life().create(EARLY);
    process.kill(pid, 'SIGKILL');
    process.kill(await another(pid), 'SIGKILL');
    // A status that was written before proves nothing: from here on it has to be about these specs.
    for (const name of [...READY, SUSPENDED, REFUSED]) await life().change(name, NEWS);
  });

  /** The operator's next process. */
  const another = (before: number): Promise<number> =>
    until('the next operator', () => {
      try {
        const { pid } = life().lab.operator();
        return pid === before ? undefined : pid;
      } catch {
        return undefined; // none runs at this moment
      }
    });

  for (const name of READY) {
    it(`${name} was Ready: the next requests work, watches go on, the same agent comes back`, async () => {
      await requests.get(name)?.next('a good request', ({ status }) => status === 200);
      await life().ready(name, 60_000);
      const watch = watches.get(name);
      await watch?.until('an open watch', () => watch.ends.length > 0 && watch.isOpen);
      const news = `after-the-kill-${name}`;
      await clusterOf(name).client.call({
        method: 'POST',
        path: '/api/v1/namespaces/default/configmaps',
        body: { metadata: { name: news } },
      });
      await watch?.until('news through the watch', () => watch.seen.has(news));
      expect(await life().agents(clusterOf(name), name, 1)).to.deep.equal(agents.get(name));
      await hasOneOfEach(name);
    });
  }

  it('a download that ran was cut, and does not look whole', async () => {
    for (const download of downloads.values()) expect((await download.finish()).isComplete).to.equal(false);
  });

  it('a suspended tunnel is still suspended, and comes back when it is resumed', async () => {
    expect(await life().judged(SUSPENDED, 'Ready')).to.include({ status: 'False', reason: 'Suspended' });
    const refused = await ask(life().client('lab-admin'), `/clusters/${SUSPENDED}/api/v1/namespaces/default`);
    expect(refused.words, told(refused)).to.contain('is suspended');
    expect((await deploymentOf(SUSPENDED))?.spec.replicas).to.equal(0);
    expect(life().lab.agents(hub(), SUSPENDED)).to.deep.equal([]);
    await life().change(SUSPENDED, { suspend: false });
    await life().ready(SUSPENDED);
    await hasOneOfEach(SUSPENDED);
  });

  it('a tunnel that was draining goes, with everything of ours', async () => {
    await life().gone(LEAVING);
    await until('the garbage collection of its pods', async () => {
      return (await life().belongings(hub(), LEAVING)).length === 0 || undefined;
    });
  });

  it('a tunnel whose kubeconfig was refused still is; a good one makes it Ready', async () => {
    const { message, reason } = await life().judged(REFUSED, 'CredentialsReady');
    expect(reason, message).to.equal('KubeconfigRefused');
    expect(message).to.contain('users[0].user.exec');
    expect(life().lab.agents(life().lab.target, REFUSED)).to.deep.equal([]);
    await life().lab.apply(kubeconfigSecret('refused', adminKubeconfig(life().lab.target)));
    await life().ready(REFUSED);
    expect(await life().keyCount(REFUSED)).to.equal(1);
  });

  it('a tunnel whose agent came up is Ready with one agent and one key', async () => {
    await life().ready(COMING);
    await hasOneOfEach(COMING);
  });

  it('a tunnel of which nothing was made is Ready with one agent and one key', async () => {
    await life().ready(EARLY);
    await hasOneOfEach(EARLY);
  });
});
