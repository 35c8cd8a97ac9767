import { isDeepStrictEqual } from 'node:util';
import { expect } from 'chai';
import { isStatus } from '../../../hack/lab/api/client.ts';
import { until } from '../../../hack/lab/until.ts';
import { AGENT_NAMESPACE, describeLife, OPERATOR_NAMESPACE } from '../../support/life.ts';
import { type SteadyClient, told } from '../../support/steady-client.ts';
import type { WatchClient } from '../../support/watch-client.ts';

const HOME = 'home';
/** Tunnels that lose one thing each. */
const KEYS = 'keys';
/** Not the same: a tunnel that loses its only agent twice in two minutes flaps, and is Ready later. */
const LOST_KEYS = 'lost-keys';
const TOKEN = 'token';
const ACCOUNT = 'account';
const DEPLOYED = 'deployed';
/** "Within seconds". */
const REPAIR_MS = 10_000;

/** One of our objects as it stands in the cluster. */
interface Found {
  readonly metadata: { readonly uid: string; readonly labels?: Readonly<Record<string, string>> };
  readonly [field: string]: unknown;
}

const nameOf = (tunnel: string) => `clustertunnel-agent-${tunnel}`;
const serviceAccount = (tunnel: string) => `/api/v1/namespaces/${AGENT_NAMESPACE}/serviceaccounts/${nameOf(tunnel)}`;
const binding = (tunnel: string) => `/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/${nameOf(tunnel)}`;
const secret = (tunnel: string) => `/api/v1/namespaces/${AGENT_NAMESPACE}/secrets/${nameOf(tunnel)}`;
const deployment = (tunnel: string) => `/apis/apps/v1/namespaces/${AGENT_NAMESPACE}/deployments/${nameOf(tunnel)}`;
const keys = (tunnel: string) => `/api/v1/namespaces/${OPERATOR_NAMESPACE}/secrets/clustertunnel-keys-${tunnel}`;

const NO_LABELS = { metadata: { labels: { 'clustertunnel.io/tunnel': null, 'app.kubernetes.io/managed-by': 'me' } } };

/** Hand edits, as JSON merge patches, that no client may notice. */
const EDITS = [
  ["the ServiceAccount's automount flag", serviceAccount(HOME), { automountServiceAccountToken: true }],
  ["the ServiceAccount's labels", serviceAccount(HOME), NO_LABELS],
  ["the CA in the agent's Secret", secret(HOME), { data: { 'ca.crt': base64('nonsense') } }],
  ["the labels of the agent's Secret", secret(HOME), NO_LABELS],
  ["the Deployment's replicas", deployment(HOME), { spec: { replicas: 3 } }],
  ["the Deployment's template", deployment(HOME), { spec: { template: { spec: { serviceAccountName: 'default' } } } }],
  ["the Deployment's labels", deployment(HOME), NO_LABELS],
  ["the ClusterRoleBinding's labels", binding(HOME), NO_LABELS],
] as const;

describeLife('life: drift at a Local agent', { targets: 0 }, (life) => {
  let client: SteadyClient;
  let watch: WatchClient;
  let agents: string[];

  const hub = () => life().lab.lab.hub;
  const find = async (path: string): Promise<Found | undefined> => {
    try {
      return await hub().client.get<Found>(path);
    } catch (error) {
      if (isStatus(error, 404)) return undefined;
      throw error;
    }
  };
  const edit = (path: string, body: object) =>
    hub().client.call({ method: 'PATCH', path, body, contentType: 'application/merge-patch+json' });
  const content = ({ metadata, status, ...rest }: Found) => ({ labels: metadata.labels, ...rest });

  /** Edits the object, and waits until it says again what it said before. */
  const repaired = async (path: string, patch: object): Promise<void> => {
    const before = await find(path);
    if (before === undefined) throw new Error(`${path} is not there`);
    await edit(path, patch);
    const isBack = async () => {
      const now = await find(path);
      return (now !== undefined && isDeepStrictEqual(content(now), content(before))) || undefined;
    };
    await until(`the repair of ${path}`, isBack, REPAIR_MS);
  };

  /** Deletes the object, and waits until there is a new one with the same labels. */
  const madeAgain = async (path: string): Promise<void> => {
    const before = await find(path);
    await hub().client.call({ method: 'DELETE', path });
    const another = async () => {
      const now = await find(path);
      return now !== undefined && now.metadata.uid !== before?.metadata.uid ? now : undefined;
    };
    const made = await until(`a new ${path}`, another, REPAIR_MS);
    expect(made.metadata.labels).to.deep.equal(before?.metadata.labels);
  };

  /** Kills the agent: what comes up instead has to log in with what the objects say now. */
  const readyAfterKill = async (tunnel: string): Promise<void> => {
    const [agent] = life().lab.agents(hub(), tunnel);
    if (agent === undefined) throw new Error('no agent runs');
    process.kill(agent.pid, 'SIGKILL');
    await life().condition(tunnel, 'Connected', { status: 'False' });
    await life().ready(tunnel);
  };

  /** Another pod than that of the identity runs. */
  const replaced = async (tunnel: string, former: string): Promise<void> => {
    const isAnother = () =>
      life()
        .lab.agents(hub(), tunnel)
        .some(({ pod }) => !former.startsWith(pod.pod));
    await until('another agent', () => isAnother() || undefined);
  };

  before(async () => {
    const names = [HOME, KEYS, LOST_KEYS, TOKEN, ACCOUNT, DEPLOYED];
    await Promise.all(names.map((name) => life().create(name)));
    await Promise.all(names.map((name) => life().ready(name)));
    agents = await life().agents(hub(), HOME, 1);
    client = life().steady(HOME);
    watch = await life().watch(HOME);
  });

  for (const [what, path, patch] of EDITS) {
    it(`${what} edited by hand: put back within seconds`, () => repaired(path, patch));
  }

  it("the agent's Secret deleted by hand: made again", () => madeAgain(secret(HOME)));

  it('nobody noticed any of it: no request failed, no watch ended, no agent was replaced', async () => {
    await client.next('a good request after the repairs', ({ status }) => status === 200);
    expect(client.failures.map(told)).to.deep.equal([]);
    expect(watch.ends).to.deep.equal([]);
    expect(await life().agents(hub(), HOME, 1)).to.deep.equal(agents);
  });

  it('the ClusterRoleBinding edited or deleted by hand: put back; who came meanwhile heard who may not impersonate', async () => {
    const failedBefore = client.failures.length;
    await repaired(binding(HOME), { subjects: [] });
    await madeAgain(binding(HOME));
    await client.next('a good request', ({ status }) => status === 200);
    const failures = client.failures.slice(failedBefore);
    expect(
      failures.filter(({ status, words }) => status !== 403 || !words.includes('cannot impersonate')),
    ).to.deep.equal([]);
    await life().ready(HOME);
    await client.next('a good request', ({ status }) => status === 200);
  });

  it('the keys edited by hand: put back, and the next agent logs in', async () => {
    await repaired(keys(KEYS), NO_LABELS);
    await readyAfterKill(KEYS);
    expect(await life().keyCount(KEYS)).to.equal(1);
  });

  it('the keys deleted by hand: made again, and the next agent logs in', async () => {
    await madeAgain(keys(LOST_KEYS));
    await readyAfterKill(LOST_KEYS);
    expect(await life().keyCount(LOST_KEYS)).to.equal(1);
  });

  it("the agent's token overwritten by hand: the agent gets one that is valid", async () => {
    const nonsense = base64('ct1.nobody.knows');
    await edit(secret(TOKEN), { data: { token: nonsense } });
    const isRenewed = async () => {
      const { data } = (await find(secret(TOKEN))) as unknown as { data: { token: string } };
      return data.token !== nonsense || undefined;
    };
    await until('a valid token', isRenewed, REPAIR_MS);
    await readyAfterKill(TOKEN);
  });

  it('the ServiceAccount deleted by hand: made again, and agents follow whose tokens died with the old one', async () => {
    const [former = ''] = await life().agents(hub(), ACCOUNT, 1);
    await madeAgain(serviceAccount(ACCOUNT));
    await replaced(ACCOUNT, former);
    await life().ready(ACCOUNT);
    const requests = life().steady(ACCOUNT);
    await requests.next('a good request', ({ status }) => status === 200);
  });

  it('the Deployment deleted by hand: made again; requests that came meanwhile were held, not refused', async () => {
    const requests = life().steady(DEPLOYED);
    const [former = ''] = await life().agents(hub(), DEPLOYED, 1);
    await madeAgain(deployment(DEPLOYED));
    await replaced(DEPLOYED, former);
    await life().ready(DEPLOYED);
    await requests.next('a good request', ({ status }) => status === 200);
    expect(requests.failures.map(told)).to.deep.equal([]);
    const { type } = await life().event(DEPLOYED, 'NoReplicaReady', 'Ready is False');
    expect(type).to.equal('Warning');
    await life().event(DEPLOYED, 'RequestsGetThrough', 'Ready is True');
  });
});

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
