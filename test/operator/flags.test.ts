import { expect } from 'chai';
import yargs from 'yargs';
import { operatorConfig, operatorFlags } from '../../operator/flags.ts';

async function config(given: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const parser = operatorFlags(yargs([...given]), env)
    .strict()
    .exitProcess(false)
    .fail((message, error) => {
      throw error ?? new Error(message);
    });
  return operatorConfig(await parser.parseAsync(), env);
}

const URL_FLAG = '--external-url=https://gateway.example.com';

async function trouble(given: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  try {
    await config(given, env);
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

describe('operator/flags', () => {
  it('needs an external URL and nothing else', async () => {
    expect(await trouble([])).to.contain('external-url');
    expect(await config([URL_FLAG])).to.include({
      role: 'all',
      externalUrl: 'https://gateway.example.com',
      namespace: 'clustertunnel-system',
      bindAddress: '0.0.0.0',
      gatewayPort: 8443,
      opsPort: 8080,
      maxBufferBytes: 128 * 1024 * 1024,
      shutdownDelaySeconds: 5,
      drainSeconds: 30,
      remoteRemovalTimeoutSeconds: 300,
      kubeconfig: undefined,
      logLevel: 'info',
      logFormat: 'json',
    });
  });

  it('bounds the rate of a user where it is told to', async () => {
    const rate = async (...given: string[]) => (await config([URL_FLAG, ...given])).userRate;
    expect(await rate()).to.equal(undefined);
    expect(await rate('--user-request-burst=9')).to.equal(undefined);
    expect(await rate('--user-requests-per-second=50')).to.deep.equal({ requestsPerSecond: 50, burst: 100 });
    expect(await rate('--user-requests-per-second=0.2')).to.deep.equal({ requestsPerSecond: 0.2, burst: 1 });
    const both = ['--user-requests-per-second=50', '--user-request-burst=60'];
    expect(await rate(...both)).to.deep.equal({ requestsPerSecond: 50, burst: 60 });
    for (const flag of ['--user-requests-per-second', '--user-request-burst']) {
      expect(await trouble([URL_FLAG, `${flag}=-1`])).to.contain(flag);
    }
  });

  it('asks for the audiences of tokens that it is told, and bounds guesses', async () => {
    expect(await config([URL_FLAG])).to.deep.include({ tokenAudiences: [], failedLoginsPerSecond: 20 });
    const given = ['--token-audience=a', '--token-audience', 'b', '--failed-logins-per-second=0'];
    expect(await config([URL_FLAG, ...given])).to.deep.include({
      tokenAudiences: ['a', 'b'],
      failedLoginsPerSecond: 0,
    });
    expect(await trouble([URL_FLAG, '--token-audience='])).to.contain('token-audience');
    const origins = ['--allowed-origin=https://console.example.com', '--allowed-origin=http://localhost:3000'];
    expect((await config([URL_FLAG, ...origins])).allowedOrigins).to.deep.equal(origins.map((each) => each.slice(17)));
    for (const origin of ['*', 'https://a/b', 'a.example']) {
      expect(await trouble([URL_FLAG, `--allowed-origin=${origin}`])).to.contain('--allowed-origin');
    }
    expect(await trouble([URL_FLAG, '--failed-logins-per-second=-1'])).to.contain('--failed-logins-per-second');
  });

  it('takes what the pod says from the environment', async () => {
    const env = {
      CLUSTERTUNNEL_EXTERNAL_URL: 'https://g.example.com:8443/',
      POD_NAMESPACE: 'tunnels',
      POD_NAME: 'operator-0',
      POD_IP: '127.1.2.3',
      CLUSTERTUNNEL_AGENT_IMAGE: 'registry/agent:1',
      CLUSTERTUNNEL_REMOTE_REMOVAL_TIMEOUT: '60',
    };
    expect(await config([], env)).to.include({
      externalUrl: 'https://g.example.com:8443',
      namespace: 'tunnels',
      podName: 'operator-0',
      bindAddress: '127.1.2.3',
      agentImage: 'registry/agent:1',
      remoteRemovalTimeoutSeconds: 60,
    });
  });

  it('offers HTTP/2 unless told', async () => {
    expect((await config([URL_FLAG])).http2).to.equal(true);
    expect((await config([URL_FLAG, '--http2=false'])).http2).to.equal(false);
    expect((await config([URL_FLAG, '--no-http2'])).http2).to.equal(false);
  });

  it('lets a flag win over the environment', async () => {
    const env = { CLUSTERTUNNEL_EXTERNAL_URL: 'https://env.example.com', POD_NAMESPACE: 'env' };
    expect(await config([URL_FLAG, '--namespace=flag'], env)).to.include({
      externalUrl: 'https://gateway.example.com',
      namespace: 'flag',
    });
  });

  for (const url of [
    '',
    'gateway',
    'http://g',
    'https://g/path',
    'https://g/?x',
    'https://user@g',
    'https://',
    'wss://g',
  ]) {
    it(`refuses --external-url "${url}" and shows a good one`, async () => {
      expect(await trouble([`--external-url=${url}`])).to.match(/--external-url .*for example https:\/\//);
    });
  }

  for (const flag of ['--gateway-port=65536', '--ops-port=-1', '--gateway-port=1.5', '--gateway-port=https']) {
    it(`refuses ${flag}`, async () => {
      expect(await trouble([URL_FLAG, flag])).to.match(/-port .*must be a port number/);
    });
  }

  it('refuses buffers that hold nothing and a drain that ends before it begins', async () => {
    expect(await trouble([URL_FLAG, '--max-buffer-bytes=1000'])).to.contain('--max-buffer-bytes 1000');
    expect(await trouble([URL_FLAG, '--max-buffer-bytes=much'])).to.contain('--max-buffer-bytes NaN');
    expect(await trouble([URL_FLAG, '--drain-seconds=-1'])).to.contain('--drain-seconds -1');
    expect(await trouble([URL_FLAG, '--shutdown-delay-seconds=-1'])).to.contain('--shutdown-delay-seconds -1');
    expect(await trouble([URL_FLAG, '--remote-removal-timeout=-1'])).to.contain('--remote-removal-timeout -1');
    const env = { CLUSTERTUNNEL_REMOTE_REMOVAL_TIMEOUT: 'soon' };
    expect(await trouble([URL_FLAG], env)).to.contain('--remote-removal-timeout NaN');
    expect(await config([URL_FLAG, '--drain-seconds=0', '--gateway-port=0'])).to.include({
      drainSeconds: 0,
      gatewayPort: 0,
    });
  });

  it('refuses roles, levels and flags that do not exist', async () => {
    expect(await trouble([URL_FLAG, '--role=wizard'])).to.contain('role');
    expect(await trouble([URL_FLAG, '--log-level=loud'])).to.contain('log-level');
    expect(await trouble([URL_FLAG, '--gateway-prot=1'])).to.contain('gateway-prot');
  });
});
