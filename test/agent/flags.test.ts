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

  for (const [flags, env, sentence] of [
    [['--gateway=http://gw', '--tunnel=c1'], ENV, '--gateway must be https://host:port, not "http://gw"'],
    [['--gateway=gw:8443', '--tunnel=c1'], ENV, '--gateway must be https://host:port'],
    [[...GIVEN, '--min-backoff=1 s'], ENV, '--min-backoff must be a duration such as 500ms, 10s or 2m, not "1 s"'],
    [[...GIVEN, '--min-backoff=2m'], ENV, '--min-backoff must not exceed --max-backoff'],
    [[...GIVEN, '--ops-port=70000'], ENV, '--ops-port must be a port from 0 to 65535'],
    [GIVEN, {}, 'KUBERNETES_SERVICE_HOST is not set'],
  ] as const) {
    it(`says: ${sentence}`, () => expect(() => parse(flags, env)).to.throw(sentence));
  }
});
