import { expect } from 'chai';
import type { Cluster } from '../../../hack/lab/lab.ts';
import { describeLife } from '../../support/life.ts';
import { adminKubeconfig, kubeconfigSecret } from '../../support/remote-secret.ts';
import { type Outcome, type SteadyClient, told } from '../../support/steady-client.ts';
import { together } from '../../support/together.ts';

/** At the target whose API server stands still. */
const FROZEN = { manual: 'frozen-far', remote: 'frozen-near' } as const;
/** At the target whose API server dies. */
const DEAD = { manual: 'dead-far', remote: 'dead-near' } as const;
const TUNNELS = [FROZEN.manual, FROZEN.remote, DEAD.manual, DEAD.remote] as const;
/** At the dead one, to be deleted meanwhile. */
const ABANDONED = 'abandoned';
const OVERDUE = 'overdue';
const LOCAL = 'home';
/** Of the flag --remote-removal-timeout, in seconds. */
const REMOVAL_TIMEOUT_S = 20;
const TIMEOUTS = { connect: '2s', upstreamHeaders: '3s' } as const;

const OPTIONS = { targets: 2, environment: { CLUSTERTUNNEL_REMOTE_REMOVAL_TIMEOUT: String(REMOVAL_TIMEOUT_S) } };

describeLife('life: API servers are away', OPTIONS, (life) => {
  const agents = new Map<string, string[]>();
  const requests = new Map<string, SteadyClient>();
  const stopped: Cluster[] = [];

  const targets = (): { frozen: Cluster; dead: Cluster } => {
    const [frozen, dead] = life().lab.lab.targets;
    if (frozen === undefined || dead === undefined) throw new RangeError('this lab has two targets');
    return { frozen, dead };
  };
  const clusterOf = (tunnel: string) => (tunnel.startsWith('frozen') ? targets().frozen : targets().dead);
  const remote = (secret: string) => ({
    agent: { placement: 'Kubeconfig', kubeconfigSecretRef: { name: secret } } as const,
    timeouts: TIMEOUTS,
  });

  before(async () => {
    const { frozen, dead } = targets();
    await life().lab.apply(
      kubeconfigSecret('frozen', adminKubeconfig(frozen)),
      kubeconfigSecret('dead', adminKubeconfig(dead)),
    );
    await life().create(FROZEN.remote, remote('frozen'));
    for (const name of [DEAD.remote, ABANDONED, OVERDUE]) await life().create(name, remote('dead'));
    for (const name of [FROZEN.manual, DEAD.manual]) {
      await life().create(name, { agent: { placement: 'Manual' }, timeouts: TIMEOUTS });
      await life().lab.applyManifest(name, clusterOf(name));
    }
    await life().create(LOCAL);
    for (const name of [...TUNNELS, ABANDONED, OVERDUE, LOCAL]) await life().ready(name);
    for (const name of TUNNELS) {
      agents.set(name, await life().agents(clusterOf(name), name, 1));
      const client = life().steady(name);
      requests.set(name, client);
      await client.next('a good request', ({ status }) => status === 200);
    }
    stopped.push(frozen, life().lab.lab.hub);
    frozen.apiServer.freeze();
    await dead.apiServer.kill();
  });

  /** Whatever happened: nobody stops a lab whose API servers stand still. */
  after(() => {
    for (const { apiServer } of stopped) apiServer.thaw();
  });

  const upstreamIsAway = async (tunnel: string, isExpected: (outcome: Outcome) => boolean): Promise<void> => {
    const refused = await requests.get(tunnel)?.next('an error of the upstream', ({ hop }) => hop === 'upstream');
    expect(refused !== undefined && isExpected(refused), told(refused)).to.equal(true);
    const { message, reason } = await life().condition(tunnel, 'UpstreamHealthy', { status: 'False' });
    expect(message, 'the address that was asked').to.contain(clusterOf(tunnel).url);
    const { type } = await life().event(tunnel, reason, 'UpstreamHealthy is False');
    expect(type).to.equal('Warning');
    await life().notReady(tunnel);
    const { status, message: connected } = await life().condition(tunnel, 'Connected', {});
    expect(status, connected).to.equal('True');
  };
  const clusterIsUnreachable = async (tunnel: string): Promise<void> => {
    const wanted = { status: 'Unknown', reason: 'ClusterUnreachable' } as const;
    const { message } = await life().condition(tunnel, 'AgentAvailable', wanted, 45_000);
    expect(message).to.contain(clusterOf(tunnel).url);
    expect(message).to.contain('Tried again at growing intervals.');
  };
  const isRefused = ({ status, code }: Outcome) => status === 503 && /^upstream_(unreachable|reset)$/.test(code);
  const isUnanswered = ({ status, code }: Outcome) =>
    (status === 504 && code === 'upstream_timeout') || (status === 503 && code === 'upstream_unreachable');

  together({
    'a dead API server, Manual: clients hear 503 from the upstream, the condition says why': () =>
      upstreamIsAway(DEAD.manual, isRefused),
    'a dead API server, Kubeconfig: the same, and the agent is Unknown, not gone': async () => {
      await upstreamIsAway(DEAD.remote, isRefused);
      await clusterIsUnreachable(DEAD.remote);
    },
    'an API server that stands still, Manual: clients hear 503 or 504 from the upstream in time': () =>
      upstreamIsAway(FROZEN.manual, isUnanswered),
    'an API server that stands still, Kubeconfig: the same, and a change that must be told it finds out': async () => {
      await upstreamIsAway(FROZEN.remote, isUnanswered);
      // Its watches are only silent: a call shows that nobody answers.
      await life().change(FROZEN.remote, { limits: { maxConcurrentRequests: 9 } });
      await clusterIsUnreachable(FROZEN.remote);
    },
    'deleted while its cluster is away: says what is wrong and how to give up; the annotation ends it at once':
      async () => {
        await life().remove(ABANDONED);
        const { message } = await life().condition(ABANDONED, 'Ready', {
          status: 'False',
          reason: 'RemoteUnreachable',
        });
        expect(message).to.contain(targets().dead.url).and.to.contain('ECONNREFUSED');
        expect(message).to.contain('kubectl annotate ct abandoned clustertunnel.io/abandon-remote=true');
        await life().lab.hub(['annotate', 'ct', ABANDONED, 'clustertunnel.io/abandon-remote=true']);
        await life().gone(ABANDONED, (REMOVAL_TIMEOUT_S * 1_000) / 2);
        await isLeftBehind(ABANDONED);
      },
    'deleted while its cluster is away, and nobody does anything: gone when the time is over': async () => {
      await life().remove(OVERDUE);
      await life().condition(OVERDUE, 'Ready', { status: 'False', reason: 'RemoteUnreachable' });
      await life().gone(OVERDUE, REMOVAL_TIMEOUT_S * 3_000);
      await isLeftBehind(OVERDUE);
    },
  });

  const isLeftBehind = async (tunnel: string): Promise<void> => {
    const { type, note } = await life().event(tunnel, 'RemoteLeftBehind');
    expect(type).to.equal('Warning');
    expect(note).to.contain(`Deployment clustertunnel-agent/clustertunnel-agent-${tunnel}`);
    expect(await life().belongings(life().lab.lab.hub, tunnel), 'what is left at the hub').to.deep.equal([]);
  };

  it('the API servers are back: everything is True again, with the agents that were there', async () => {
    const { frozen, dead } = targets();
    frozen.apiServer.thaw();
    await dead.apiServer.start();
    for (const name of TUNNELS) {
      await life().ready(name, 60_000);
      await requests.get(name)?.next('a good request', ({ status }) => status === 200);
      if (name === FROZEN.remote || name === DEAD.remote)
        await life().condition(name, 'AgentAvailable', { status: 'True' });
      expect(await life().agents(clusterOf(name), name, 1), name).to.deep.equal(agents.get(name));
      // An API server that comes up refuses what it has not read the rules for: in its own words, without a cause of ours.
      const strange = (await requests.get(name)?.stop())?.filter(
        ({ status, code, hop }) => status === 0 || !(code === '' || hop === 'upstream' || code === 'circuit_open'),
      );
      expect(strange?.map(told), `${name}: every other end of a request`).to.deep.equal([]);
    }
  });

  it('what a given-up deletion left behind is what its Event named, and its agent is turned away', async () => {
    const left = await life().belongings(targets().dead, OVERDUE);
    for (const kind of ['deployment.apps', 'secret', 'serviceaccount', 'clusterrolebinding.rbac.authorization.k8s.io'])
      expect(left).to.contain(`${kind}/clustertunnel-agent-${OVERDUE}`);
    const refused = await life().lab.operatorState();
    expect(refused.gateway['sessions'], 'sessions of living tunnels').to.equal(TUNNELS.length + 1);
  });

  it("the hub's own API server stands still: who is new hears 503, who is in goes on; afterwards all is as before", async () => {
    const { hub } = life().lab.lab;
    const { frozen } = targets();
    const watch = await life().watch(FROZEN.manual);
    const client = life().steady(FROZEN.manual);
    await client.next('a good request', ({ status }) => status === 200);
    const { pid } = life().lab.operator();
    hub.apiServer.freeze();
    try {
      const refused = await client.next('a refusal', ({ status }) => status !== 200, 45_000);
      expect(refused, told(refused)).to.include({ status: 503, code: 'auth_unavailable', hop: 'gateway' });
      const path = '/api/v1/namespaces/default/configmaps';
      await frozen.client.call({ method: 'POST', path, body: { metadata: { name: 'while-the-hub-stands' } } });
      await watch.until('news through the watch', () => watch.seen.has('while-the-hub-stands'));
    } finally {
      hub.apiServer.thaw();
    }
    await client.next('a good request', ({ status }) => status === 200);
    const strange = (await client.stop()).filter(({ status, code }) => status !== 200 && code !== 'auth_unavailable');
    expect(strange.map(told)).to.deep.equal([]);
    expect(watch.ends).to.deep.equal([]);
    for (const name of [...TUNNELS, LOCAL]) {
      // What was written before proves nothing: somebody has to look at this.
      await life().change(name, { limits: { maxConcurrentRequests: 11 } });
      await life().ready(name);
    }
    expect(await life().agents(frozen, FROZEN.manual, 1)).to.deep.equal(agents.get(FROZEN.manual));
    expect(life().lab.operator().pid, 'the same operator').to.equal(pid);
  });
});
