import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { until } from '../../../hack/lab/until.ts';
import { conditionOf, describeLife, OPERATOR_NAMESPACE } from '../../support/life.ts';
import { together } from '../../support/together.ts';

/** A namespace and a tunnel of the same name for each obstacle. */
const HELD = 'held';
const NO_PODS = 'no-pods';
const NO_DEPLOYMENTS = 'no-deployments';
const NO_SECRETS = 'no-secrets';
const MANAGER = 'clustertunnel-agent-manager';
const OPERATOR = `system:serviceaccount:${OPERATOR_NAMESPACE}:clustertunnel-operator`;
/** Retries that double from a few milliseconds up: this many need hours. */
const MOST_ATTEMPTS = 25;

describeLife("life: an agent's namespace that takes nothing", { targets: 0 }, (life) => {
  const hub = () => life().lab.lab.hub;

  /** What an administrator does for another spec.agent.namespace: the Role and its binding of config/rbac. */
  const letOperatorIn = async (namespace: string): Promise<void> => {
    for (const kind of ['roles', 'rolebindings']) {
      const path = `/apis/rbac.authorization.k8s.io/v1/namespaces/clustertunnel-agent/${kind}/${MANAGER}`;
      const { metadata, ...rest } = await hub().client.get<{ metadata: { labels: object } }>(path);
      await life().lab.apply({ ...rest, metadata: { name: MANAGER, namespace, labels: metadata.labels } });
    }
  };
  const makeNamespace = async (name: string): Promise<void> => {
    await life().lab.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    await letOperatorIn(name);
  };
  const limit = async (namespace: string, hard: Readonly<Record<string, string>>): Promise<void> => {
    await makeNamespace(namespace);
    await life().lab.apply({
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'none', namespace },
      spec: { hard },
    });
    const [resource = ''] = Object.keys(hard);
    const isCounted = `--for=jsonpath={.status.hard.${resource.replaceAll('.', '\\.')}}=0`;
    await life().lab.hub(['-n', namespace, 'wait', 'resourcequota/none', isCounted, '--timeout=30s']);
  };
  const lift = (namespace: string) => life().lab.hub(['-n', namespace, 'delete', 'resourcequota', 'none']);
  const requestsThrough = async (tunnel: string): Promise<void> => {
    const requests = life().steady(tunnel);
    await requests.next('a good request', ({ status }) => status === 200);
    await requests.stop();
  };

  const quota = async (tunnel: string, hard: Readonly<Record<string, string>>, condition: string): Promise<void> => {
    await limit(tunnel, hard);
    await life().create(tunnel, { agent: { namespace: tunnel } });
    const { message } = await life().condition(tunnel, condition, { status: 'False', reason: 'QuotaExceeded' });
    expect(message).to.contain('exceeded quota: none');
    const ready = conditionOf(life().tunnel(tunnel), 'Ready');
    expect(ready).to.include({ status: 'False', reason: 'QuotaExceeded' });
    await lift(tunnel);
    await life().ready(tunnel);
    await life().event(tunnel, 'RequestsGetThrough', 'Ready is True');
    await requestsThrough(tunnel);
    expect(await life().keyCount(tunnel), 'every attempt offered the same token').to.equal(1);
    expect(attempts(hub().auditLogPath, tunnel), 'refused attempts').to.be.at.most(MOST_ATTEMPTS);
  };

  together({
    'no quota for pods: the words of the quota, and Ready once it is lifted': () =>
      quota(NO_PODS, { pods: '0' }, 'AgentAvailable'),
    'no quota for Deployments: likewise': () =>
      quota(NO_DEPLOYMENTS, { 'count/deployments.apps': '0' }, 'AgentAvailable'),
    'no quota for Secrets: likewise': () => quota(NO_SECRETS, { 'count/secrets': '0' }, 'CredentialsReady'),
    'a namespace that is being deleted and cannot end: said so; afterwards everything is made anew': async () => {
      await makeNamespace(HELD);
      await life().create(HELD, { agent: { namespace: HELD } });
      await life().ready(HELD);
      const hold = { name: 'hold', namespace: HELD, finalizers: ['life.test/hold'] };
      await life().lab.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: hold });
      const before = await hub().client.get<{ metadata: { uid: string } }>(`/api/v1/namespaces/${HELD}`);
      await life().lab.hub(['delete', 'namespace', HELD, '--wait=false']);

      await life().condition(HELD, 'Ready', { status: 'False', reason: 'NamespaceTerminating' });
      const isEmptied = '--for=condition=NamespaceFinalizersRemaining';
      await life().lab.hub(['wait', 'namespace', HELD, isEmptied, '--timeout=30s']);
      // The operator's rights stood in it, too: what it says now must not be about them.
      await life().change(HELD, { limits: { maxConcurrentRequests: 9 } });
      const { message = '', reason } = await life().judged(HELD, 'Ready');
      expect(reason, message).to.equal('NamespaceTerminating');
      expect(message).to.match(/terminat/i);
      const patch = JSON.stringify({ metadata: { finalizers: null } });
      await life().lab.hub(['-n', HELD, 'patch', 'configmap', 'hold', '--type=merge', '-p', patch]);

      const anew = await until(`a namespace ${HELD} again`, async () => {
        const { stdout } = await life().lab.hub(['get', 'namespace', HELD, '-o', 'json', '--ignore-not-found']);
        const uid = stdout === '' ? undefined : (JSON.parse(stdout) as typeof before).metadata.uid;
        return uid === before.metadata.uid ? undefined : uid;
      });
      expect(anew).to.be.a('string');
      // The operator's rights went with the namespace, and it says whose they are to give.
      const refused = await life().condition(HELD, 'Ready', { status: 'False', reason: 'Forbidden' });
      expect(refused.message).to.contain(MANAGER);
      await letOperatorIn(HELD);
      const mayRead = ['auth', 'can-i', 'get', 'secrets', '-n', HELD, `--as=${OPERATOR}`];
      await until('the rights to count', async () => {
        return (await life().lab.hub(mayRead, { mayFail: true })).exitCode === 0 || undefined;
      });
      // It would look again by itself, within a minute.
      await life().change(HELD, { limits: { maxConcurrentRequests: 10 } });
      await life().ready(HELD);
      await requestsThrough(HELD);
    },
  });
});

/** How often the operator tried to write into a namespace and was refused. */
function attempts(auditLogPath: string, namespace: string): number {
  const records = readFileSync(auditLogPath, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as AuditRecord);
  return records.filter(
    ({ user, objectRef, responseStatus }) =>
      user.username === OPERATOR && objectRef?.namespace === namespace && responseStatus?.code === 403,
  ).length;
}

interface AuditRecord {
  readonly user: { readonly username: string };
  readonly objectRef?: { readonly namespace?: string };
  readonly responseStatus?: { readonly code?: number };
}
