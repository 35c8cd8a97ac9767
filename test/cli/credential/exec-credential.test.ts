import { expect } from 'chai';
import { askedVersion, credentialIn, execCredential } from '../../../cli/credential/exec-credential.ts';
import { CommandError } from '../../../cli/output.ts';

const V1 = 'client.authentication.k8s.io/v1';
const BETA = 'client.authentication.k8s.io/v1beta1';
const info = (apiVersion: unknown) => ({
  KUBERNETES_EXEC_INFO: JSON.stringify({ apiVersion, kind: 'ExecCredential' }),
});
const printed = (status: unknown) => JSON.stringify({ apiVersion: V1, kind: 'ExecCredential', status });

describe('cli/credential/exec-credential', () => {
  it('answers in the version that is asked for, v1 by hand', () => {
    expect([askedVersion({}), askedVersion(info(V1)), askedVersion(info(BETA))]).to.deep.equal([V1, V1, BETA]);
    expect(() => askedVersion(info('client.authentication.k8s.io/v1alpha1'))).to.throw(CommandError);
    expect(() => askedVersion({ KUBERNETES_EXEC_INFO: 'none' })).to.throw('no JSON');
  });

  it('prints one line of JSON', () => {
    const text = execCredential(V1, { token: 'x', expirationTimestamp: '2026-01-01T00:00:00Z' });
    expect(text.endsWith('}\n')).to.equal(true);
    expect(JSON.parse(text)).to.deep.equal({
      apiVersion: V1,
      kind: 'ExecCredential',
      status: { token: 'x', expirationTimestamp: '2026-01-01T00:00:00Z' },
    });
  });

  it('reads what another plugin printed', () => {
    expect(credentialIn(printed({ token: 'x', more: 1, expirationTimestamp: null }))).to.deep.equal({ token: 'x' });
    const pair = { clientCertificateData: 'c', clientKeyData: 'k' };
    expect(credentialIn(printed(pair))).to.deep.equal(pair);
  });

  for (const [what, text] of [
    ['nothing', ''],
    ['text', 'secret'],
    ['no status', '{"token":"secret"}'],
    ['an empty status', printed({ token: '' })],
    ['half a certificate', printed({ clientCertificateData: 'secret' })],
    ['a token that is no text', printed({ token: { secret: 'secret' } })],
  ] as const) {
    it(`says what is wrong with ${what}, and nothing of what it holds`, () => {
      expect(() => credentialIn(text))
        .to.throw()
        .with.property('message')
        .that.does.not.contain('"secret"');
    });
  }
});
