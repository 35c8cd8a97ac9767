import { expect } from 'chai';
import yargs from 'yargs';
import { agentConfig, agentFlags } from '../../agent/flags.ts';

const ENV = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' };
const GIVEN = ['--gateway=https://gw.example:8443', '--tunnel=c1'];

describe('agent/flags', () => {
  const parse = (flags: readonly string[], env: NodeJS.ProcessEnv = ENV) =>
    agentConfig(
      agentFlags(yargs([...flags]))
        .exitProcess(false)
        .parseSync(),
      env,
    );

  it('reads what the Deployment passes', () => {
    const config = parse([
      ...GIVEN,
      ...['--token-file=/var/run/clustertunnel/token', '--ca-file=/var/run/clustertunnel/ca.crt'],
      ...['--min-backoff=500ms', '--max-backoff=2m', '--bind-address=127.0.1.2', '--ops-port=8081'],
    ]);
    expect(config).to.deep.equal({
      gatewayUrl: 'https://gw.example:8443',
      proxyUrl: undefined,
      tunnel: 'c1',
      tokenFile: '/var/run/clustertunnel/token',
      caFile: '/var/run/clustertunnel/ca.crt',
      bindAddress: '127.0.1.2',
      opsPort: 8081,
      minBackoffMs: 500,
      maxBackoffMs: 120_000,
      logLevel: 'info',
      logFormat: 'json',
      upstreamUrl: 'https://10.0.0.1:443',
      serviceAccountFolder: '/var/run/secrets/kubernetes.io/serviceaccount',
    });
  });

  it('finds all its files below CLUSTERTUNNEL_ROOT', () => {
    const config = parse(GIVEN, { ...ENV, CLUSTERTUNNEL_ROOT: '/lab/pod' });
    expect(config.tokenFile).to.equal('/lab/pod/var/run/clustertunnel/token');
    expect(config.caFile).to.equal('/lab/pod/var/run/clustertunnel/ca.crt');
    expect(config.serviceAccountFolder).to.equal('/lab/pod/var/run/secrets/kubernetes.io/serviceaccount');
  });

  it('puts an IPv6 address of the API server in brackets', () => {
    const { upstreamUrl } = parse(GIVEN, { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' });
    expect(upstreamUrl).to.equal('https://[fd00::1]:6443');
  });

  for (const [flags, proxyUrl] of [
    [['--proxy-url=http://proxy.example:3128'], 'http://proxy.example:3128'],
    [['--proxy-url=http://proxy.example/'], 'http://proxy.example'],
    [['--proxy-url=http://[fd00::1]:3128', '--no-proxy=10.0.0.0/8,other.example'], 'http://[fd00::1]:3128'],
    [['--proxy-url=http://proxy.example:3128', '--no-proxy=10.0.0.0/8,.example'], undefined],
    [['--proxy-url=http://proxy.example:3128', '--no-proxy=gw.example:443'], 'http://proxy.example:3128'],
    [['--no-proxy=other.example'], undefined],
  ] as const) {
    it(`reaches its gateway ${proxyUrl === undefined ? 'directly' : 'through the proxy'}: ${flags.join(' ')}`, () => {
      const env = { ...ENV, HTTPS_PROXY: 'http://other.example:3128' };
      expect(parse([...GIVEN, ...flags], env).proxyUrl).to.equal(proxyUrl);
    });
  }

  for (const [flags, env, sentence] of [
    [['--gateway=http://gw', '--tunnel=c1'], ENV, '--gateway must be https://host:port, not "http://gw"'],
    [['--gateway=gw:8443', '--tunnel=c1'], ENV, '--gateway must be https://host:port'],
    [[...GIVEN, '--min-backoff=1 s'], ENV, '--min-backoff must be a duration such as 500ms, 10s or 2m, not "1 s"'],
    [[...GIVEN, '--min-backoff=2m'], ENV, '--min-backoff must not exceed --max-backoff'],
    [[...GIVEN, '--ops-port=70000'], ENV, '--ops-port must be a port from 0 to 65535'],
    [GIVEN, {}, 'KUBERNETES_SERVICE_HOST is not set'],
    [[...GIVEN, '--proxy-url=proxy:3128'], ENV, '--proxy-url must be http://host:port'],
    [[...GIVEN, '--proxy-url=https://proxy:3128'], ENV, '--proxy-url must be http://host:port'],
    [[...GIVEN, '--proxy-url=http://jane:secret@proxy:3128'], ENV, 'without credentials'],
    [[...GIVEN, '--proxy-url=http://proxy:3128/path'], ENV, '--proxy-url must be http://host:port'],
    [[...GIVEN, '--no-proxy=10.0.0.0/33'], ENV, '--no-proxy: "10.0.0.0/33" is no name, address, CIDR or *'],
  ] as const) {
    it(`says: ${sentence}`, () => expect(() => parse(flags, env)).to.throw(sentence));
  }
});
