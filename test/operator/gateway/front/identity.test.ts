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
  it('takes a user over as he is, without extras that the tunnel does not name', () => {
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

  const known = (extra: HubUser['extra'], extras: readonly string[]) =>
    identityAtTarget({ ...user('alice'), extra }, { ...UNSAID_ACCESS, extras });

  it('lets those extras pass that are named, with their values as they came', () => {
    const extra = { 'example.com/scopes': ['b', 'a', 'a b'], team: ['x'], none: [], other: ['y'] };
    expect(known(extra, ['example.com/scopes', 'none', 'constructor', 'team'])).to.deep.equal({
      identity: {
        user: 'alice',
        uid: '',
        groups: [],
        extras: [
          { key: 'example.com/scopes', values: ['b', 'a', 'a b'] },
          { key: 'team', values: ['x'] },
        ],
      },
    });
    expect(known({ Team: ['x'] }, ['team'])).to.deep.equal({ identity: { user: 'alice', uid: '', groups: [] } });
  });

  for (const key of [
    'authentication.kubernetes.io/credential-id',
    'Authentication.Kubernetes.IO/credential-id',
    'kubernetes.io/x',
    'a.b.k8s.io/x',
    'k8s.io/',
    'a%2fb',
    'a b',
    '',
  ]) {
    it(`keeps the extra ${JSON.stringify(key)} at the hub, even if an old tunnel names it`, () => {
      const mapped = known({ [key]: ['x'], team: ['y'] }, [key, 'team']);
      expect(mapped)
        .to.have.nested.property('identity.extras')
        .that.deep.equals([{ key: 'team', values: ['y'] }]);
    });
  }

  for (const value of ['', ' a', 'a\r\nImpersonate-Group: system:masters', 'ü', 'a\tb', 'a\0']) {
    it(`refuses who has an extra with the value ${JSON.stringify(value)}, if it should pass`, () => {
      expect(known({ team: ['fine', value] }, ['team']))
        .to.have.property('refusal')
        .that.includes('extra "team"');
      expect(known({ team: ['fine', value] }, [])).to.have.property('identity');
    });
  }

  it('refuses extras that are too long together', () => {
    expect(known({ team: Array(300).fill('x'.repeat(46)) }, ['team']))
      .to.have.property('refusal')
      .that.contains('14336');
    expect(known({ team: Array(290).fill('x'.repeat(46)) }, ['team'])).to.have.property('identity');
  });

  it('property: no extra passes that is not named, and what passes is fit for a header', () => {
    const key = fc.oneof(
      fc.string(),
      fc.constantFrom('team', 'example.com/scopes', 'authentication.kubernetes.io/pod'),
    );
    const extra = fc.dictionary(key, fc.array(fc.oneof(fc.string(), fc.constant('x')), { maxLength: 3 }));
    fc.assert(
      fc.property(extra, fc.array(key), (all, named) => {
        const mapped = known(all, named);
        if ('refusal' in mapped) return;
        for (const { key: passed, values } of mapped.identity.extras ?? []) {
          expect(named).to.include(passed);
          expect(passed)
            .to.match(/^[a-z0-9._/-]+$/)
            .and.to.not.match(/(^|\.)(kubernetes|k8s)\.io\//);
          expect(values).to.deep.equal(all[passed]);
          for (const value of values) expect(value).to.match(/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/);
        }
      }),
      { numRuns: 500 },
    );
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
