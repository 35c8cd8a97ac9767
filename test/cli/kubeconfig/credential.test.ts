import { expect } from 'chai';
import { demandCredential, redactedUser } from '../../../cli/kubeconfig/credential.ts';
import { CommandError } from '../../../cli/output.ts';

describe('cli/kubeconfig/credential', () => {
  for (const field of [
    'token',
    'tokenFile',
    'exec',
    'auth-provider',
    'client-certificate',
    'client-certificate-data',
  ]) {
    it(`takes a user with ${field}`, () => {
      demandCredential({ name: 'alice', fields: { [field]: 'x', as: 'root' } }, 'prod');
    });
  }

  const refused: readonly (readonly [what: string, fields: object, why: RegExp])[] = [
    ['a password', { username: 'alice', password: 'x' }, /password, not a token/],
    ['nothing', { token: '' }, /no credential at all/],
  ];
  for (const [what, fields, why] of refused) {
    it(`refuses ${what}, and says what to do`, () => {
      const demand = () => demandCredential({ name: 'alice', fields: { ...fields } }, 'prod');
      expect(demand).to.throw(CommandError).with.property('why').that.matches(why);
      expect(demand).to.throw().with.property('remedy').that.contains('clustertunnel kubeconfig prod --token-file -');
    });
  }

  it('shows nothing of a user that is secret', () => {
    const shown = redactedUser({
      token: 'secret',
      password: 'secret',
      'client-key-data': 'secret',
      tokenFile: '/path',
      exec: { command: 'login', args: ['--key=secret'], env: [{ name: 'A', value: 'secret' }], apiVersion: 'v1' },
      'auth-provider': { name: 'oidc', config: { 'refresh-token': 'secret' } },
    });
    expect(JSON.stringify(shown)).not.to.contain('secret');
    expect(shown).to.deep.include({ tokenFile: '/path', 'auth-provider': { name: 'oidc', config: 'REDACTED' } });
    expect(shown['exec']).to.include({ command: 'login', apiVersion: 'v1' });
  });
});
