import { expect } from 'chai';
import fc from 'fast-check';
import { UNSAID_ACCESS } from '../../../../crds/access-settings.ts';
import { type HubUser, identityAtTarget } from '../../../../operator/gateway/front/identity.ts';

const user = (username: string, groups: readonly string[] = [], uid = ''): HubUser => ({
  username,
  uid,
  groups,
  extra: {},
});

describe('operator/gateway/front/identity', () => {
  it('takes a user over as he is, without extras', () => {
    const extra = { 'authentication.kubernetes.io/credential-id': ['x'], scopes: ['all'] };
    expect(identityAtTarget({ ...user('alice', ['dev'], 'u-1'), extra })).to.deep.equal({
      identity: { user: 'alice', uid: 'u-1', groups: ['dev'] },
    });
  });

  it('gives service accounts of the hub a name that no service account of the target has', () => {
    const groups = ['system:serviceaccounts', 'system:serviceaccounts:kube-system', 'system:authenticated'];
    expect(identityAtTarget(user('system:serviceaccount:kube-system:replicaset-controller', groups))).to.deep.equal({
      identity: {
        user: 'clustertunnel:hub:kube-system:replicaset-controller',
        uid: '',
        groups: ['system:authenticated'],
      },
    });
  });

  for (const name of [
    'system:admin',
    'system:node:n1',
    'system:kube-controller-manager',
    'system:anonymous',
    'system:serviceaccount:a',
    'system:serviceaccount:a:b:c',
    'system:serviceaccount:A:b',
    'system:serviceaccount::b',
    'system:',
    'clustertunnel:controller',
    'clustertunnel:hub:a:b',
  ]) {
    it(`refuses the user ${name}`, () => {
      expect(identityAtTarget(user(name)))
        .to.have.property('refusal')
        .that.contains(name);
    });
  }

  it('drops groups of the system and our own, and keeps the one that says nothing about rights', () => {
    const groups = [
      'system:masters',
      'system:nodes',
      'dev',
      'clustertunnel:x',
      'system:authenticated',
      '',
      'System:masters',
    ];
    expect(identityAtTarget(user('alice', groups))).to.deep.equal({
      identity: { user: 'alice', uid: '', groups: ['dev', 'system:authenticated', 'System:masters'] },
    });
  });

  for (const text of ['', ' alice', 'alice ', 'ali\r\nce', 'ali\0ce', 'j\xfcrgen', 'a\tb', '\u0100', 'x\x7f']) {
    it(`refuses ${JSON.stringify(text)} as a user, and where it is not empty as a uid and as a group`, () => {
      expect(identityAtTarget(user(text))).to.have.property('refusal');
      if (text === '') return;
      expect(identityAtTarget(user('alice', [], text))).to.have.property('refusal');
      expect(identityAtTarget(user('alice', ['dev', text]))).to.have.property('refusal');
    });
  }

  it('puts prefixes before names and groups, not before service accounts and system:authenticated', () => {
    const access = { ...UNSAID_ACCESS, userPrefix: 'hub:', groupPrefix: 'hub/' };
    const mapped = (username: string, groups: string[] = []) =>
      identityAtTarget({ username, uid: '', groups, extra: {} }, access);
    expect(mapped('jane', ['dev', 'system:authenticated', 'system:masters', ''])).to.deep.equal({
      identity: { user: 'hub:jane', uid: '', groups: ['hub/dev', 'system:authenticated'] },
    });
    const account = mapped('system:serviceaccount:a:b');
    expect(account).to.have.nested.property('identity.user', 'clustertunnel:hub:a:b');
    for (const name of ['', 'system:admin', 'clustertunnel:controller'])
      expect(mapped(name)).to.have.property('refusal');
  });

  it('lets those pass that are named, by their names at the target, and leaves other groups out', () => {
    const access = { ...UNSAID_ACCESS, userPrefix: 'h:', users: ['h:jane', 'clustertunnel:hub:a:b'], groups: ['dev'] };
    const mapped = (username: string, groups: string[] = []) =>
      identityAtTarget({ username, uid: '', groups, extra: {} }, access);
    expect(mapped('jane', ['dev', 'ops', 'system:authenticated'])).to.deep.equal({
      identity: { user: 'h:jane', uid: '', groups: ['dev', 'system:authenticated'] },
    });
    expect(mapped('system:serviceaccount:a:b')).to.have.property('identity');
    expect(mapped('bob')).to.have.property('refusal').that.includes('spec.access.impersonate.users');
  });

  it('no prefix can make a reserved name', () => {
    const user = { username: 'tem:admin', uid: '', groups: ['tem:masters', 'hub:x', 'dev'], extra: {} };
    expect(identityAtTarget(user, { ...UNSAID_ACCESS, userPrefix: 'sys' })).to.have.property('refusal');
    expect(identityAtTarget({ ...user, username: 'jane' }, { ...UNSAID_ACCESS, groupPrefix: 'sys' })).to.deep.equal({
      identity: { user: 'jane', uid: '', groups: ['syshub:x', 'sysdev'] },
    });
    const ours = identityAtTarget(
      { ...user, username: 'a:b' },
      {
        ...UNSAID_ACCESS,
        userPrefix: 'clustertunnel:hub:',
      },
    );
    expect(ours).to.have.property('refusal');
  });

  it('keeps spaces inside names', () => {
    expect(identityAtTarget(user('Alice Liddell', ['my team']))).to.have.nested.property(
      'identity.user',
      'Alice Liddell',
    );
  });

  it('refuses names that are too long together', () => {
    expect(identityAtTarget(user('u', Array(300).fill('x'.repeat(46)))))
      .to.have.property('refusal')
      .that.contains('14336');
    expect(identityAtTarget(user('u', Array(290).fill('x'.repeat(46))))).to.have.property('identity');
  });

  it('property: no identity is of the system, and each is fit for a header', () => {
    const name = fc.oneof(
      fc.string(),
      fc.constantFrom('system:masters', 'system:serviceaccount:a:b', 'dev', 'clustertunnel:x'),
    );
    fc.assert(
      fc.property(name, fc.array(name, { maxLength: 5 }), fc.string(), (username, groups, uid) => {
        const mapped = identityAtTarget(user(username, groups, uid));
        if ('refusal' in mapped) return;
        const { identity } = mapped;
        expect(identity.user.startsWith('system:')).to.equal(false);
        expect(
          identity.groups.filter((group) => group.startsWith('system:') && group !== 'system:authenticated'),
        ).to.deep.equal([]);
        for (const text of [identity.user, ...identity.groups])
          expect(text).to.match(/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/);
      }),
    );
  });
});
