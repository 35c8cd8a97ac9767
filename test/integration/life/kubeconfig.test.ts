import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { SpecInput } from '../../../crds/types.ts';
import { REPOSITORY } from '../../../hack/lab/paths.ts';
import { podProcesses } from '../../../hack/lab/pod-process.ts';
import { until } from '../../../hack/lab/until.ts';
import { AGENT_NAMESPACE, describeLife, OPERATOR_NAMESPACE } from '../../support/life.ts';
import {
  adminKubeconfig,
  altered,
  type Kubeconfig,
  kubeconfigSecret,
  tokenKubeconfig,
} from '../../support/remote-secret.ts';
import { told } from '../../support/steady-client.ts';
import { together } from '../../support/together.ts';

/** Two tunnels by one Secret. */
const FIRST = 'first';
const SECOND = 'second';
const ROTATED = 'rotated';
const REVOKED = 'revoked';
const HELD = 'held';
const TEAM = 'team';
const CHATTER = fileURLToPath(new URL('../../support/chatter.mjs', import.meta.url));
const OPTIONS = { targets: 1, images: { chatter: [process.execPath, CHATTER] } };

describeLife('life: a target that a kubeconfig names', OPTIONS, (life) => {
  const target = () => life().lab.target;
  const admin = () => adminKubeconfig(target());
  const atTarget = (args: readonly string[], input = '') => life().lab.lab.kubectl(target(), args, { input });
  const asAlice = (args: readonly string[], options = {}) =>
    life().lab.through(FIRST, 'alice', ['-n', TEAM, ...args], options);
  const put = (name: string, config: Kubeconfig, key?: string) => life().lab.apply(kubeconfigSecret(name, config, key));
  const create = (name: string, secret = name, spec: SpecInput = {}) =>
    life().create(name, {
      ...spec,
      agent: { ...spec.agent, placement: 'Kubeconfig', kubeconfigSecretRef: { name: secret } },
    });
  /** A ServiceAccount of the target with the rights that config/remote gives, and a token of it. */
  const placerToken = async (account: string): Promise<string> => {
    const system = ['-n', OPERATOR_NAMESPACE];
    const subject = `--serviceaccount=${OPERATOR_NAMESPACE}:${account}`;
    await atTarget([...system, 'create', 'serviceaccount', account]);
    await atTarget(['create', 'clusterrolebinding', account, '--clusterrole=clustertunnel-placer', subject]);
    await atTarget(['-n', AGENT_NAMESPACE, 'create', 'rolebinding', account, '--role=clustertunnel-placer', subject]);
    return (await atTarget([...system, 'create', 'token', account])).stdout.trim();
  };
  /** Requests that the target's API server has begun to answer. */
  const audited = (...words: string[]) =>
    until(`a request with ${words.join(' and ')} at the target`, () => {
      const lines = readFileSync(target().auditLogPath, 'utf8').split('\n');
      return lines.find((line) => words.every((word) => line.includes(word)));
    });

  before(async () => {
    await atTarget(['apply', '-k', join(REPOSITORY, 'config/remote')]);
    await put('target', admin());
    await create(FIRST, 'target');
    await create(SECOND, 'target');
    await life().ready(FIRST);
    await life().ready(SECOND);
  });

  /** A Secret that is of no use; the condition names what is wrong; a good one makes the tunnel Ready. */
  const mended = async (
    name: string,
    bad: (() => Promise<unknown>) | undefined,
    reason: string,
    words: readonly string[],
  ) => {
    await bad?.();
    await create(name);
    const { message } = await life().condition(name, 'CredentialsReady', { status: 'False', reason });
    for (const word of [`Secret ${OPERATOR_NAMESPACE}/${name}`, ...words]) expect(message).to.contain(word);
    await life().condition(name, 'Ready', { status: 'False', reason });
    expect(life().lab.agents(target(), name), 'nothing was made at the target').to.deep.equal([]);
    await put(name, admin());
    await life().ready(name);
    await life().agents(target(), name, 1);
  };
  const user = (fields: object) => altered(admin(), { user: fields });
  const refused = (name: string, config: () => Kubeconfig, field: string) =>
    mended(name, () => put(name, config()), 'KubeconfigRefused', ['key "kubeconfig"', field]);

  together({
    'no Secret: named; Ready within seconds when it is there': () =>
      mended('no-secret', undefined, 'KubeconfigMissing', ['does not exist', 'the key "kubeconfig"']),
    'another key than the Secret has: named, likewise': () =>
      mended('no-key', () => put('no-key', admin(), 'config'), 'KubeconfigMissing', ['"kubeconfig"']),
    'an exec plugin: the field is named, likewise': () =>
      refused('exec', () => user({ exec: { apiVersion: 'v1', command: 'aws' } }), 'users[0].user.exec'),
    'unverified TLS: the field is named, likewise': () =>
      refused(
        'insecure',
        () => altered(admin(), { cluster: { 'insecure-skip-tls-verify': true } }),
        'clusters[0].cluster.insecure-skip-tls-verify',
      ),
    'a file: the field is named, likewise': () =>
      refused(
        'file',
        () => user({ 'client-certificate': '/etc/kubernetes/admin.crt', 'client-key': '/etc/kubernetes/admin.key' }),
        'users[0].user.client-certificate',
      ),
    'a token that the target does not know: its words, likewise': async () => {
      await put('stranger', tokenKubeconfig(target(), 'nobody'));
      await create('stranger');
      const { message } = await life().condition('stranger', 'CredentialsReady', {
        status: 'False',
        reason: 'Unauthorized',
      });
      expect(message).to.contain(target().url).and.to.contain('Unauthorized');
      expect(message).to.contain(`${OPERATOR_NAMESPACE}/stranger`);
      await put('stranger', admin());
      await life().ready('stranger');
    },
    'a new token in the Secret: the operator goes on with it, no request fails and no agent restarts': async () => {
      await put(ROTATED, tokenKubeconfig(target(), await placerToken('rotated-a')));
      await create(ROTATED);
      await life().ready(ROTATED);
      const before = await life().agents(target(), ROTATED, 1);
      const readyBefore = life().pastOf(ROTATED, 'Ready').length;
      const requests = life().steady(ROTATED);
      await requests.next('a good request', ({ status }) => status === 200);
      await put(ROTATED, tokenKubeconfig(target(), await placerToken('rotated-b')));
      await atTarget(['-n', OPERATOR_NAMESPACE, 'delete', 'serviceaccount', 'rotated-a']);
      // With the new token drift is still seen, and repaired.
      const deployment = ['-n', AGENT_NAMESPACE, 'deployment', `clustertunnel-agent-${ROTATED}`];
      await atTarget(['scale', ...deployment, '--replicas=2']);
      await until('one replica again', async () => {
        const { stdout } = await atTarget(['get', ...deployment, '-o', 'jsonpath={.spec.replicas}']);
        return stdout === '1' || undefined;
      });
      await requests.next('a good request', ({ status }) => status === 200);
      expect((await requests.stop()).filter(({ status }) => status !== 200).map(told)).to.deep.equal([]);
      expect(
        life()
          .pastOf(ROTATED, 'Ready')
          .slice(readyBefore)
          .filter(({ status }) => status !== 'True'),
      ).to.deep.equal([]);
      expect(await life().agents(target(), ROTATED, 1)).to.deep.equal(before);
    },
    'a revoked token: Unauthorized, while requests go on; a new one, and all is well without a restart': async () => {
      await put(REVOKED, tokenKubeconfig(target(), await placerToken('revoked-a')));
      await create(REVOKED);
      await life().ready(REVOKED);
      const before = await life().agents(target(), REVOKED, 1);
      const requests = life().steady(REVOKED);
      await atTarget(['-n', OPERATOR_NAMESPACE, 'delete', 'serviceaccount', 'revoked-a']);
      await forgotten(REVOKED);
      await life().change(REVOKED, { limits: { maxConcurrentRequests: 9 } });
      const { message } = await life().condition(REVOKED, 'CredentialsReady', {
        status: 'False',
        reason: 'Unauthorized',
      });
      expect(message).to.contain('Unauthorized').and.to.contain(`Secret ${OPERATOR_NAMESPACE}/${REVOKED}`);
      await requests.next('a good request all the same', ({ status }) => status === 200);
      await put(REVOKED, tokenKubeconfig(target(), await placerToken('revoked-b')));
      await life().condition(REVOKED, 'CredentialsReady', { status: 'True' });
      await life().ready(REVOKED);
      expect((await requests.stop()).filter(({ status }) => status !== 200).map(told)).to.deep.equal([]);
      expect(await life().agents(target(), REVOKED, 1)).to.deep.equal(before);
    },
    'a namespace that is being deleted and cannot end: said so; afterwards everything is made anew': async () => {
      await create(HELD, 'target', { agent: { namespace: HELD } });
      await life().ready(HELD);
      const hold = { name: 'hold', namespace: HELD, finalizers: ['life.test/hold'] };
      await atTarget(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: hold }));
      await atTarget(['delete', 'namespace', HELD, '--wait=false']);
      const { message } = await life().condition(HELD, 'Ready', { status: 'False', reason: 'NamespaceTerminating' });
      expect(message).to.match(/terminat/i);
      await atTarget(['wait', 'namespace', HELD, '--for=condition=NamespaceFinalizersRemaining', '--timeout=30s']);
      await life().change(HELD, { limits: { maxConcurrentRequests: 9 } });
      expect(await life().judged(HELD, 'Ready')).to.include({ status: 'False', reason: 'NamespaceTerminating' });
      await atTarget([
        '-n',
        HELD,
        'patch',
        'configmap',
        'hold',
        '--type=merge',
        '-p',
        '{"metadata":{"finalizers":null}}',
      ]);
      await life().ready(HELD, 60_000);
      expect(await life().keyCount(HELD)).to.be.within(1, 2);
    },
  });

  /** Until the target knows the token of a Secret no more: API servers remember tokens for a while. */
  const forgotten = async (secret: string): Promise<void> => {
    const path = `/api/v1/namespaces/${OPERATOR_NAMESPACE}/secrets/${secret}`;
    const { data } = await life().lab.lab.hub.client.get<{ data: { kubeconfig: string } }>(path);
    const config = JSON.parse(Buffer.from(data.kubeconfig, 'base64').toString('utf8')) as Kubeconfig;
    const token = config.users[0]?.user['token'];
    await until('the end of the token', async () => {
      const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } };
      const review = { method: 'POST', path: '/apis/authentication.k8s.io/v1/tokenreviews', body } as const;
      const { status } = await target().client.call<{ status: { authenticated?: boolean } }>(review);
      return status.authenticated === true ? undefined : true;
    });
  };

  it('one of two tunnels by one Secret is deleted: the other does not notice', async () => {
    const requests = life().steady(FIRST);
    const watch = await life().watch(FIRST);
    const before = await life().agents(target(), FIRST, 1);
    await life().remove(SECOND);
    await life().gone(SECOND);
    await until('the garbage collection of its pods', async () => {
      return (await life().belongings(target(), SECOND)).length === 0 || undefined;
    });
    await requests.next('a good request', ({ status }) => status === 200);
    await Promise.all([requests.stop(), watch.stop()]);
    expect(requests.failures.map(told)).to.deep.equal([]);
    expect(watch.ends).to.deep.equal([]);
    await life().ready(FIRST);
    expect(await life().agents(target(), FIRST, 1)).to.deep.equal(before);
  });

  describe('alice works there with kubectl', () => {
    before(async () => {
      await atTarget(['create', 'namespace', TEAM]);
      const verbs = '--verb=get,list,watch,create,patch,delete';
      const resources = '--resource=configmaps,pods,pods/log';
      await atTarget(['-n', TEAM, 'create', 'role', 'work', verbs, resources]);
      await atTarget(['-n', TEAM, 'create', 'rolebinding', 'alice', '--role=work', '--user=alice']);
    });

    it('apply --server-side, get, and delete, by her own name', async () => {
      const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'note' }, data: { text: 'Grüße' } };
      await asAlice(['apply', '--server-side', '-f', '-'], { input: JSON.stringify(object) });
      const { stdout } = await asAlice(['get', 'configmap', 'note', '-o', 'jsonpath={.data.text}']);
      expect(stdout).to.equal('Grüße');
      const managed = await asAlice(['get', 'configmap', 'note', '-o', 'json', '--show-managed-fields']);
      expect(managed.stdout).to.contain('"operation": "Apply"');
      await asAlice(['delete', 'configmap', 'note', '--timeout=20s']);
      const gone = await asAlice(['get', 'configmap', 'note'], { mayFail: true });
      expect(gone.stderr).to.contain('configmaps "note" not found');
    });

    it("what her RBAC does not give is refused in the target's own words", async () => {
      const { stderr } = await asAlice(['get', 'secrets'], { mayFail: true });
      expect(stderr).to.contain('secrets is forbidden: User "alice" cannot list resource "secrets"');
    });

    it('kubectl wait sees through a watch what happens later', async () => {
      await asAlice(['create', 'configmap', 'late']);
      const waiting = asAlice(['wait', 'configmap/late', '--for=jsonpath={.data.news}=good', '--timeout=30s']);
      await audited('"verb":"watch"', 'metadata.name%3Dlate', '"username":"alice"');
      await asAlice(['patch', 'configmap', 'late', '--type=merge', '-p', '{"data":{"news":"good"}}']);
      expect((await waiting).stdout).to.contain('configmap/late condition met');
    });

    it('long lists come in pages, and are whole', async () => {
      const names = Array.from({ length: 25 }, (_, index) => `page-${String(index).padStart(2, '0')}`);
      const items = names.map((name) => ({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name, labels: { paged: 'yes' } },
      }));
      await asAlice(['create', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) });
      const { stdout, stderr } = await asAlice([
        'get',
        'configmaps',
        '-l',
        'paged=yes',
        '--chunk-size=10',
        '-o',
        'name',
        '-v=8',
      ]);
      expect(stdout.trim().split('\n')).to.deep.equal(names.map((name) => `configmap/${name}`));
      expect(stderr.match(/continue=/g)?.length ?? 0, 'pages that were asked for').to.be.at.least(2);
    });

    it('logs, and logs -f to the end of the container', async () => {
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'chatter' },
        spec: {
          restartPolicy: 'Never',
          containers: [
            {
              name: 'chatter',
              image: 'chatter:v1',
              env: [{ name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }],
              readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
            },
          ],
        },
      };
      await asAlice(['apply', '-f', '-'], { input: JSON.stringify(pod) });
      await asAlice(['wait', 'pod/chatter', '--for=condition=Ready', '--timeout=30s']);
      const [chatter] = podProcesses(target().dir, { namespace: TEAM, pod: 'chatter' });
      const poke = (path: string) => fetch(`http://${chatter?.pod?.podIP}:8080${path}`).then((answer) => answer.text());
      await poke('/one');
      expect((await asAlice(['logs', 'chatter'])).stdout).to.equal('listening\nasked for /one\n');
      const following = asAlice(['logs', '-f', 'chatter', '--tail=1']);
      await audited('/pods/chatter/log?', 'follow=true', '"username":"alice"');
      await poke('/two');
      await poke('/end');
      expect((await following).stdout).to.equal('asked for /one\nasked for /two\nasked for /end\n');
    });
  });
});
