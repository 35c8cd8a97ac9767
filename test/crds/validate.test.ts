import { expect } from 'chai';
import fc from 'fast-check';
import { specSchema } from '../../crds/schema.ts';
import { validateSpec } from '../../crds/validate.ts';
import { anySpec } from './spec-candidates.ts';

function errorsOf(spec: unknown): readonly string[] {
  const checked = validateSpec(spec);
  return 'errors' in checked ? checked.errors : [];
}

describe('crds/validate', () => {
  it('fills in every default of an empty spec', () => {
    const checked = validateSpec({});
    if (!('spec' in checked)) throw new Error(checked.errors.join());
    expect(checked.spec.agent).to.deep.equal({
      placement: 'Local',
      namespace: 'clustertunnel-agent',
      replicas: 2,
      imagePullPolicy: 'IfNotPresent',
      resources: { requests: { cpu: '50m', memory: '96Mi' }, limits: { memory: '256Mi' } },
    });
    expect(checked.spec.limits).to.deep.equal({
      maxConcurrentRequests: 64,
      maxLongRunningRequests: 1_000,
      maxQueuedRequests: 2_000,
      maxStreamsPerSession: 2_000,
      rateLimit: { requestsPerSecond: 500, burst: 1_000 },
      maxStreamBufferBytes: '4Mi',
      maxBufferBytes: '32Mi',
    });
    expect(checked.spec.timeouts.request).to.equal('2m');
    expect(checked.spec.reconnect).to.deep.equal({ minBackoff: '1s', maxBackoff: '30s' });
    expect(checked.spec.health).to.deep.equal({
      interval: '10s',
      timeout: '5s',
      failureThreshold: 3,
      minFreeDiskBytes: '128Mi',
    });
  });

  it('takes a missing spec for an empty one', () => expect(errorsOf(undefined)).to.deep.equal([]));

  it('leaves the given object alone', () => {
    const input = { limits: {} };
    validateSpec(input);
    expect(input).to.deep.equal({ limits: {} });
  });

  const cases: readonly (readonly [name: string, spec: unknown, sentence: RegExp])[] = [
    [
      'a wrong size unit',
      { limits: { maxBufferBytes: '32MB' } },
      /^spec\.limits\.maxBufferBytes: "32MB" must be a size from 1Mi to 4Gi: .*for example 32Mi$/,
    ],
    [
      'a wrong duration unit',
      { timeouts: { request: '2 minutes' } },
      /^spec\.timeouts\.request: "2 minutes" must be a duration from 1s to 1h: .*for example 2m$/,
    ],
    ['a duration out of bounds', { timeouts: { request: '2h' } }, /^spec\.timeouts\.request: "2h" must be a duration/],
    ['a size out of bounds', { limits: { maxBufferBytes: 5 } }, /^spec\.limits\.maxBufferBytes: 5 must be a size/],
    [
      'an unknown field',
      { limits: { maxBuffer: '1Mi' } },
      /^spec\.limits\.maxBuffer: unknown field: remove it, or see `kubectl explain ct\.spec\.limits`$/,
    ],
    [
      'a stream buffer beyond the whole',
      { limits: { maxStreamBufferBytes: '64Mi' } },
      /^spec\.limits\.maxStreamBufferBytes: must not exceed limits\.maxBufferBytes/,
    ],
    [
      'a minimum beyond the maximum',
      { reconnect: { minBackoff: '1m' } },
      /^spec\.reconnect\.minBackoff: must not exceed reconnect\.maxBackoff/,
    ],
    [
      'an unknown placement',
      { agent: { placement: 'local' } },
      /^spec\.agent\.placement: "local" must be one of Local, Kubeconfig, Manual$/,
    ],
    ['too few replicas', { agent: { replicas: 0 } }, /^spec\.agent\.replicas: 0 must be >= 1$/],
    ['no object', 'x', /^spec: "x" must be object$/],
    [
      'a size of the wrong type',
      { limits: { maxBufferBytes: true } },
      /^spec\.limits\.maxBufferBytes: true must be a size from 1Mi to 4Gi: .*for example 32Mi$/,
    ],
    [
      'a duration of the wrong type',
      { timeouts: { request: 120 } },
      /^spec\.timeouts\.request: 120 must be a duration from 1s to 1h: .*for example 2m$/,
    ],
    ['a list', { timeouts: [] }, /^spec\.timeouts: \[\] must be object$/],
    [
      'a namespace that is none',
      { agent: { namespace: 'Foo_Bar' } },
      /^spec\.agent\.namespace: "Foo_Bar" must be a namespace name: .*for example clustertunnel-agent$/,
    ],
    [
      'a namespace with a line end',
      { agent: { namespace: 'team-a\n' } },
      /^spec\.agent\.namespace: "team-a\\n" must be a namespace name/,
    ],
    [
      'placement Kubeconfig without a kubeconfig',
      { agent: { placement: 'Kubeconfig' } },
      /^spec\.agent\.kubeconfigSecretRef: is required with placement Kubeconfig: name the Secret/,
    ],
    [
      'a kubeconfig for another placement',
      { agent: { kubeconfigSecretRef: { name: 'prod' } } },
      /^spec\.agent\.kubeconfigSecretRef: is only for placement Kubeconfig: remove it, or set placement to Kubeconfig$/,
    ],
    [
      'a reference without a name',
      { agent: { placement: 'Kubeconfig', kubeconfigSecretRef: {} } },
      /^spec\.agent\.kubeconfigSecretRef\.name: is required: set it, or see `kubectl explain ct\.spec\.agent\.kubeconfigSecretRef`$/,
    ],
    [
      'a Secret with an impossible name',
      { agent: { placement: 'Kubeconfig', kubeconfigSecretRef: { name: 'Prod' } } },
      /^spec\.agent\.kubeconfigSecretRef\.name: "Prod" must be the name of a Secret: .*for example prod-kubeconfig$/,
    ],
    [
      'a Secret with an impossible key',
      { agent: { placement: 'Kubeconfig', kubeconfigSecretRef: { name: 'prod', key: 'a/b' } } },
      /^spec\.agent\.kubeconfigSecretRef\.key: "a\/b" must be the key of a Secret: .*for example kubeconfig$/,
    ],
    [
      'a fallback without a Secret',
      { fallback: {} },
      /^spec\.fallback\.kubeconfigSecretRef: is required: set it, or see `kubectl explain ct\.spec\.fallback`$/,
    ],
    [
      'a fallback whose Secret has an impossible name',
      { fallback: { kubeconfigSecretRef: { name: 'Prod' } } },
      /^spec\.fallback\.kubeconfigSecretRef\.name: "Prod" must be the name of a Secret: .*for example prod-kubeconfig$/,
    ],
    [
      'a proxy that speaks TLS',
      { agent: { proxyURL: 'https://proxy.example' } },
      /^spec\.agent\.proxyURL: "https:\/\/proxy\.example" must be http:\/\/host or http:\/\/host:port, for example/,
    ],
    [
      'exceptions from no proxy',
      { agent: { noProxy: '10.0.0.0/8' } },
      /^spec\.agent\.noProxy: says nothing without agent\.proxyURL: set that, or remove noProxy$/,
    ],
    [
      'an amount that is none',
      { agent: { resources: { limits: { 'nvidia.com/gpu': 'lots' } } } },
      /^spec\.agent\.resources\.limits\[nvidia\.com\/gpu\]: "lots" must be a quantity: .*for example 500m or 256Mi$/,
    ],
    [
      'requests beyond the limit that nobody wrote',
      { agent: { resources: { requests: { memory: '1Gi' } } } },
      /^spec\.agent\.resources\.requests: must not exceed resources\.limits: lower them, or raise resources\.limits/,
    ],
    [
      'too many resources',
      { agent: { resources: { limits: Object.fromEntries([...'abcdefghi'].map((name) => [name, 1])) } } },
      /^spec\.agent\.resources\.limits: \{.*\} must NOT have more than 8 properties$/,
    ],
    [
      'a text without an end',
      { agent: { image: 'x'.repeat(1e6) } },
      /^spec\.agent\.image: "x{99}… must NOT have more than 512 characters$/,
    ],
  ];
  for (const [name, spec, sentence] of cases) {
    it(`answers ${name} with one sentence`, () => {
      const errors = errorsOf(spec);
      expect(errors).to.have.length(1);
      expect(errors[0]).to.match(sentence);
    });
  }

  it('tells all faults at once, also beside one of a wrong type', () => {
    const errors = errorsOf({ limits: { maxBufferBytes: '1MB' }, timeouts: { connect: 5 }, agent: { noProxy: 'x' } });
    expect(errors.map((error) => error.slice(0, error.indexOf(':')))).to.have.members([
      'spec.limits.maxBufferBytes',
      'spec.timeouts.connect',
      'spec.agent.noProxy',
    ]);
  });

  it('takes a null for a field that was not written, as the API server does', () => {
    const nulls = { suspend: null, agent: { image: null, resources: { requests: { cpu: null } } }, limits: null };
    expect(validateSpec(nulls)).to.deep.equal(validateSpec({ agent: { resources: { requests: {} } } }));
  });

  it('calls an unknown field unknown, null or not', () => {
    expect(errorsOf({ agent: { nodeSelector: null } })[0]).to.match(/^spec\.agent\.nodeSelector: unknown field/);
  });

  it('property: any spec is accepted, or refused in single lines that begin with a path', () => {
    fc.assert(
      fc.property(fc.oneof(anySpec(specSchema), fc.jsonValue()), (spec) => {
        for (const error of errorsOf(spec)) expect(error).to.match(/^spec[^\n]*: [^\n]+$/);
      }),
    );
  });

  it('property: a validated spec is valid, and stays as it is', () => {
    fc.assert(
      fc.property(anySpec(specSchema), (input) => {
        const checked = validateSpec(input);
        if ('spec' in checked) expect(validateSpec(checked.spec)).to.deep.equal(checked);
      }),
    );
  });
});
