import { expect } from 'chai';
import { cannotImpersonate, impersonated } from '../../../../operator/gateway/front/impersonation.ts';

const groupNeed = (name: string) => ({ group: '', resource: 'groups', name, verb: 'impersonate' });

describe('operator/gateway/front/impersonation', () => {
  const asked = (...headers: string[]) => {
    const found = impersonated(headers);
    if (typeof found !== 'object') throw new Error(String(found));
    return found;
  };

  it('asks for nothing without such a header', () => {
    expect(impersonated(['Accept', 'x', 'X-Impersonate-User', 'y'])).to.equal(undefined);
  });

  it('becomes a user, who is authenticated', () => {
    expect(asked('Accept', 'x', 'impersonate-USER', 'jane')).to.deep.equal({
      user: { username: 'jane', uid: '', groups: ['system:authenticated'], extra: {} },
      needs: [{ group: '', resource: 'users', name: 'jane', verb: 'impersonate' }],
    });
  });

  it('needs a right for each group, uid and extra, as the API server does', () => {
    const { user, needs } = asked(
      ...['Impersonate-Group', 'dev', 'Impersonate-User', 'jane', 'impersonate-group', 'ops', 'Impersonate-Uid', 'u'],
      ...['Impersonate-Extra-Acme.com%2Fproject', 'a', 'Impersonate-Extra-acme.com%2fproject', 'b'],
    );
    expect(user).to.deep.equal({
      username: 'jane',
      uid: 'u',
      groups: ['dev', 'ops', 'system:authenticated'],
      extra: { 'acme.com/project': ['a', 'b'] },
    });
    const extra = (name: string) => ({
      group: 'authentication.k8s.io',
      resource: 'userextras',
      subresource: 'acme.com/project',
      name,
      verb: 'impersonate',
    });
    expect(needs).to.deep.equal([
      { group: '', resource: 'users', name: 'jane', verb: 'impersonate' },
      ...['dev', 'ops'].map(groupNeed),
      { group: 'authentication.k8s.io', resource: 'uids', name: 'u', verb: 'impersonate' },
      ...['a', 'b'].map(extra),
    ]);
  });

  it('becomes a service account, with the groups of its kind unless others are asked for', () => {
    const name = 'system:serviceaccount:ci:bot';
    const need = { group: '', resource: 'serviceaccounts', namespace: 'ci', name: 'bot', verb: 'impersonate' };
    const { user, needs } = asked('Impersonate-User', name);
    expect(user.groups).to.deep.equal(['system:serviceaccounts', 'system:serviceaccounts:ci', 'system:authenticated']);
    expect(needs).to.deep.equal([need]);
    const other = asked('Impersonate-User', name, 'Impersonate-Group', 'x');
    expect(other.user.groups).to.deep.equal(['x', 'system:authenticated']);
    expect(other.needs).to.deep.equal([need, groupNeed('x')]);
  });

  const REFUSED: readonly [string, string[]][] = [
    ['a group without a user', ['Impersonate-Group', 'dev']],
    ['a uid without a user', ['Impersonate-Uid', 'u']],
    ['an extra without a user', ['Impersonate-Extra-a', 'b']],
    ['an empty user', ['Impersonate-User', '']],
    ['two users', ['Impersonate-User', 'a', 'impersonate-user', 'a']],
    ['two uids', ['Impersonate-User', 'a', 'Impersonate-Uid', 'u', 'Impersonate-Uid', 'v']],
    ['a header that is not known', ['Impersonate-User', 'a', 'Impersonate-New', 'b']],
    ['a name with _', ['Impersonate_User', 'a']],
    ['a name with _ beside a good one', ['Impersonate-User', 'a', 'Impersonate_Group', 'system:masters']],
    ['more than 32', ['Impersonate-User', 'a', ...Array.from({ length: 32 }, () => ['Impersonate-Group', 'g']).flat()]],
  ];
  for (const [what, headers] of REFUSED) {
    it(`refuses ${what}`, () => expect(impersonated(headers)).to.be.a('string'));
  }

  it('keys of extras are what they are', () => {
    const { user } = asked('Impersonate-User', 'a', 'Impersonate-Extra-__proto__', 'x', 'Impersonate-Extra-%zz', 'y');
    expect(Object.keys(user.extra)).to.have.members(['__proto__', '%zz']);
  });

  it('says what is missing in the words of the API server', () => {
    const asker = { username: 'alice', uid: '', groups: [], extra: {} };
    const [need] = asked('Impersonate-User', 'system:serviceaccount:ci:bot').needs;
    expect(need === undefined ? '' : cannotImpersonate(asker, need)).to.equal(
      'serviceaccounts "bot" is forbidden: User "alice" cannot impersonate resource "serviceaccounts" in API group "" in the namespace "ci"',
    );
    expect(cannotImpersonate(asker, groupNeed('dev'))).to.include('"groups" in API group "" at the cluster scope');
  });
});
