import { join } from 'node:path';
import { expect } from 'chai';
import { freePorts } from '../../hack/lab/cluster/ports.ts';
import { GatewayAccess } from '../../hack/lab/gateway-access.ts';
import { installOperator } from '../../hack/lab/install.ts';
import type { KubectlOptions } from '../../hack/lab/kubectl.ts';
import { silent } from '../../hack/lab/progress.ts';
import { ServiceForward } from '../../hack/lab/service-forward.ts';
import { onRealNodes, stage } from './stage/stage.ts';

const LOCAL = 'home';
const ROBOT = 'clustertunnel:hub:default:robot';

onRealNodes('the operator as a pod, in the cluster of its tunnel', () => {
  let forward: ServiceForward;
  let gatewayUrl: string;
  const cluster = (args: readonly string[], options: KubectlOptions = {}) =>
    stage().lab.kubectl(stage().target, args, options);

  before(async function () {
    this.timeout(120_000);
    const { lab, dir, target } = stage();
    const listenHost = new URL(target.url).hostname;
    const [listenPort = 0] = await freePorts(1);
    gatewayUrl = `https://${listenHost}:${listenPort}`;
    const service = { namespace: 'clustertunnel-system', service: 'clustertunnel-gateway', servicePort: 8443 };
    forward = new ServiceForward({ client: target.client, ...service, listenHost, listenPort });
    await forward.start();
    await installOperator({
      folder: join(dir, 'in-target'),
      gatewayUrl,
      hubKubeconfig: target.kubeconfigPath,
      kubectl: { file: lab.binaries.files.kubectl, cacheFolder: join(dir, 'kubectl') },
      progress: silent,
    });
  });
  after(() => forward?.stop());

  it('runs from config/default in a namespace that admits restricted pods only', async () => {
    const { stdout } = await cluster(['get', 'namespace', 'clustertunnel-system', '-o', 'jsonpath={.metadata.labels}']);
    expect(JSON.parse(stdout)).to.have.property('pod-security.kubernetes.io/enforce', 'restricted');
    const pods = await cluster(['-n', 'clustertunnel-system', 'get', 'pods', '--no-headers']);
    expect(pods.stdout).to.match(/^clustertunnel-operator-\S+\s+1\/1\s+Running\s+0\s/);
  });

  it('deploys the agent of a Local tunnel, which becomes Ready', async () => {
    const tunnel = {
      apiVersion: 'clustertunnel.io/v1alpha1',
      kind: 'ClusterTunnel',
      metadata: { name: LOCAL },
      spec: { agent: { replicas: 1 } },
    };
    await cluster(['apply', '-f', '-'], { input: JSON.stringify(tunnel) });
    const ready = await cluster(['wait', `ct/${LOCAL}`, '--for=condition=Ready', '--timeout=50s']);
    expect(ready.stdout).to.contain('condition met');
  });

  it('lets a service account of the cluster exec through it', async () => {
    await cluster(['create', 'serviceaccount', 'robot']);
    const binding = ['create', 'clusterrolebinding'];
    await cluster([...binding, 'robot-users', '--clusterrole=clustertunnel-user', '--serviceaccount=default:robot']);
    await cluster([...binding, 'robot-works', '--clusterrole=edit', `--user=${ROBOT}`]);
    const token = (await cluster(['create', 'token', 'robot'])).stdout.trim();
    const access = await GatewayAccess.open({ folder: stage().dir, gatewayUrl, hub: cluster });
    const kubeconfig = access.kubeconfigFor({ name: 'robot', token }, LOCAL);
    const { exitCode, stdout } = await stage().lab.kubectl(
      kubeconfig,
      ['exec', '-i', 'box', '--', 'sh', '-c', 'cat; exit 9'],
      { input: 'hello\n', mayFail: true },
    );
    expect([exitCode, stdout]).to.deep.equal([9, 'hello\n']);
  });

  it('is removed with its tunnel: nothing of the agent is left', async () => {
    await cluster(['delete', 'ct', LOCAL, '--timeout=45s'], { timeoutMs: 50_000 });
    const { stdout } = await cluster([
      ...['-n', 'clustertunnel-agent', 'get', 'deployments,secrets,serviceaccounts', '-o', 'name'],
      ...['-l', `clustertunnel.io/tunnel=${LOCAL}`],
    ]);
    expect(stdout.trim()).to.equal('');
  });
});
