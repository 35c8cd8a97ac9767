import { expect } from 'chai';
import { validateSpec } from '../../crds/validate.ts';

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
      maxStreamBufferBytes: '4Mi',
      maxBufferBytes: '32Mi',
    });
    expect(checked.spec.timeouts.request).to.equal('2m');
    expect(checked.spec.reconnect).to.deep.equal({ minBackoff: '1s', maxBackoff: '30s' });
    expect(checked.spec.health).to.deep.equal({ interval: '10s' });
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
  ];
  for (const [name, spec, sentence] of cases) {
    it(`answers ${name} with one sentence`, () => {
      const errors = errorsOf(spec);
      expect(errors).to.have.length(1);
      expect(errors[0]).to.match(sentence);
    });
  }

  it('tells all faults at once', () => {
    const errors = errorsOf({ limits: { maxBufferBytes: '1MB' }, timeouts: { connect: 'x' } });
    expect(errors).to.have.length(2);
  });
});
