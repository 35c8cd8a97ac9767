import { expect } from 'chai';
import fc from 'fast-check';
import { type AccessSettings, PROBE_USER, UNSAID_ACCESS } from '../../crds/access-settings.ts';
import type { Identity, RequestHead } from '../../tunnel/wire/head.ts';
import { outgoingHeaders } from '../../upstream/outgoing-headers.ts';
import { denial } from '../../upstream/policy.ts';
import { valuesOf } from '../support/stub-upstream.ts';

const JANE: Identity = { user: 'jane', uid: '', groups: [] };
const GET: RequestHead = {
  method: 'GET',
  path: '/api/v1/pods',
  headers: ['Accept', 'application/json'],
  identity: JANE,
  traceId: 'trace',
  deadlineMs: 0,
  isLongRunning: false,
  isUpgrade: false,
};

/** What asks for an exec. */
const EXEC: Partial<RequestHead> = { headers: ['Upgrade', 'websocket'], isUpgrade: true, isLongRunning: true };

const identity = (change: Partial<Identity>) => ({ identity: { ...JANE, ...change } });
const header = (name: string, value = 'x') => ({ headers: [name, value] });

/** What passes, by sentence. */
const ALLOWED: Readonly<Record<string, Partial<RequestHead>>> = {
  'a plain request': {},
  'every method of the API': { method: 'PATCH' },
  'a query of any visible bytes': { path: '/api/v1/pods?fieldSelector=a%3Db//..&x=%2F' },
  'a uid and groups': identity({ uid: '0d2c-11', groups: ['dev', 'ops team'] }),
  'the group system:authenticated': identity({ groups: ['system:authenticated'] }),
  'a service account of the hub, prefixed': identity({ user: 'clustertunnel:hub:ns:name' }),
  'our own controller': identity({ user: 'clustertunnel:controller' }),
  'a user with punctuation': identity({ user: 'oidc:jane@example.com/admin#1' }),
  'a user that only looks reserved': identity({ user: 'System:admin' }),
  'a content length': header('Content-Length', '5'),
  'a header of 8-bit bytes': header('X-Name', 'caf\u00e9'),
  'an upgrade to websocket': EXEC,
  'an upgrade to SPDY, with POST, in any case': {
    ...EXEC,
    method: 'POST',
    headers: ['X-Stream-Protocol-Version', 'v4.channel.k8s.io', 'upgrade', 'spdy/3.1', 'Content-Length', '0'],
  },
};

/** What does not, and what the sentence says. */
const DENIED: Readonly<Record<string, readonly [Partial<RequestHead>, string]>> = {
  'an upgrade to nothing': [{ ...EXEC, headers: [] }, 'exactly one Upgrade'],
  'an upgrade to two protocols': [
    { ...EXEC, headers: ['Upgrade', 'websocket', 'Upgrade', 'SPDY/3.1'] },
    'exactly one Upgrade',
  ],
  'an upgrade to either protocol': [{ ...EXEC, headers: ['Upgrade', 'websocket, SPDY/3.1'] }, 'not served'],
  'an upgrade to HTTP/2': [{ ...EXEC, headers: ['Upgrade', 'h2c'] }, 'not served'],
  'an upgrade with PUT': [{ ...EXEC, method: 'PUT' }, 'GET or POST'],
  'an upgrade with a body': [{ ...EXEC, headers: ['Upgrade', 'websocket', 'Content-Length', '5'] }, 'no request body'],
  'an upgrade that takes an ordinary worker': [{ ...EXEC, isLongRunning: false }, 'long-running'],
  'an upgrade without identity': [{ ...EXEC, identity: undefined }, 'no identity'],
  'an upgrade of a system user': [{ ...EXEC, ...identity({ user: 'system:admin' }) }, 'reserved'],
  'an upgrade with Connection': [
    { ...EXEC, headers: ['Connection', 'Upgrade', 'Upgrade', 'websocket'] },
    'may not cross',
  ],
  'an upgrade with Impersonate-User': [
    { ...EXEC, headers: ['Upgrade', 'websocket', 'Impersonate-User', 'root'] },
    'may not cross',
  ],
  'an upgrade with the token of the hub among its subprotocols': [
    {
      ...EXEC,
      headers: ['Upgrade', 'websocket', 'Sec-WebSocket-Protocol', 'base64url.bearer.authorization.k8s.io.dG9r, v5'],
    },
    'may not cross',
  ],
  'no identity': [{ identity: undefined }, 'no identity'],
  'an empty user': [identity({ user: '' }), 'no identity'],
  'an empty user with groups': [identity({ user: '', groups: ['dev'] }), 'no identity'],
  'a system user': [identity({ user: 'system:admin' }), 'reserved'],
  'a service account of the target': [identity({ user: 'system:serviceaccount:kube-system:x' }), 'reserved'],
  'a node': [identity({ user: 'system:node:n1' }), 'reserved'],
  anonymous: [identity({ user: 'system:anonymous' }), 'reserved'],
  'the masters': [identity({ groups: ['dev', 'system:masters'] }), 'reserved'],
  'all service accounts': [identity({ groups: ['system:serviceaccounts'] }), 'reserved'],
  'the masters behind a space': [identity({ groups: [' system:masters'] }), 'visible ASCII'],
  'a user with a space at its end': [identity({ user: 'jane ' }), 'visible ASCII'],
  'a user with a line break': [identity({ user: 'jane\r\nImpersonate-Group: system:masters' }), 'visible ASCII'],
  'a user beyond ASCII': [identity({ user: 'jürgen' }), 'visible ASCII'],
  'a uid with NUL': [identity({ uid: 'a\0b' }), 'visible ASCII'],
  'an empty group': [identity({ groups: [''] }), 'visible ASCII'],
  'a group beyond ASCII': [identity({ groups: ['größe'] }), 'visible ASCII'],
  CONNECT: [{ method: 'CONNECT' }, 'not served'],
  TRACE: [{ method: 'TRACE' }, 'not served'],
  'a method in small letters': [{ method: 'get' }, 'not served'],
  'Impersonate-User': [header('Impersonate-User'), 'may not cross'],
  'impersonate-extra-scopes in small letters': [header('impersonate-extra-scopes'), 'may not cross'],
  'X-Remote-Group': [header('X-Remote-Group'), 'may not cross'],
  Authorization: [header('Authorization', 'Bearer hub'), 'may not cross'],
  'a cookie': [header('Cookie'), 'may not cross'],
  'a name with _': [header('Impersonate_User'), 'may not cross'],
  Connection: [header('Connection', 'close'), 'may not cross'],
  'Connection that names identity': [header('Connection', 'impersonate-user'), 'impersonate-user'],
  'Transfer-Encoding': [header('Transfer-Encoding', 'chunked'), 'may not cross'],
  Upgrade: [header('Upgrade', 'websocket'), 'may not cross'],
  TE: [header('TE', 'trailers'), 'may not cross'],
  'a value with a line break': [header('X-A', 'b\r\nAuthorization: x'), 'control bytes'],
  'two content lengths': [{ headers: ['Content-Length', '1', 'content-length', '2'] }, 'occurs 2 times'],
  'a path without /': [{ path: 'api' }, 'must start with /'],
  'an absolute URL': [{ path: 'http://169.254.169.254/' }, 'must start with /'],
  'a path with //': [{ path: '//evil.com/api' }, '//'],
  'a dot segment': [{ path: '/api/../secrets' }, 'decoded'],
  'an encoded dot segment': [{ path: '/api/%2e%2E/secrets' }, 'decoded'],
  'a half-encoded dot segment': [{ path: '/api/.%2e' }, 'decoded'],
  'an encoded slash': [{ path: '/api/v1/namespaces/a%2fb' }, 'decoded'],
  'a backslash': [{ path: '/api\\v1' }, 'visible ASCII'],
  'a space': [{ path: '/api /v1' }, 'visible ASCII'],
  'a tab': [{ path: '/api\t' }, 'visible ASCII'],
  'bytes beyond ASCII': [{ path: '/api/\u00e9' }, 'visible ASCII'],
};

describe('upstream/policy', () => {
  for (const [name, change] of Object.entries(ALLOWED)) {
    it(`allows ${name}`, () => expect(denial({ ...GET, ...change }, UNSAID_ACCESS)).to.equal(undefined));
  }
  for (const [name, [change, sentence]] of Object.entries(DENIED)) {
    it(`denies ${name}`, () => expect(denial({ ...GET, ...change }, UNSAID_ACCESS)).to.include(sentence));
  }

  const AGENT: AccessSettings = { ...UNSAID_ACCESS, mode: 'Agent' };
  const READ_ONLY: AccessSettings = { ...UNSAID_ACCESS, readOnly: true };

  it('lends its own rights only where OPEN and CONFIG say so, and refuses where they differ', () => {
    expect(denial({ ...GET, identity: undefined }, AGENT)).to.equal(undefined);
    expect(denial(GET, AGENT)).to.include('acts as its agent');
    expect(denial({ ...GET, identity: undefined }, UNSAID_ACCESS)).to.include('no identity');
    expect(denial({ ...GET, ...header('Impersonate-User'), identity: undefined }, AGENT)).to.include('may not cross');
    expect(outgoingHeaders({ ...GET, identity: undefined }, undefined, 't').join()).to.not.match(/impersonate/i);
  });

  it('speaks for those only whom the tunnel names', () => {
    const access = { ...UNSAID_ACCESS, users: ['jane'], groups: ['dev'] };
    expect(denial({ ...GET, ...identity({ groups: ['dev', 'system:authenticated'] }) }, access)).to.equal(undefined);
    expect(denial({ ...GET, ...identity({ user: 'bob' }) }, access)).to.include('user "bob" does not pass');
    expect(denial({ ...GET, ...identity({ groups: ['ops'] }) }, access)).to.include('group "ops" does not pass');
  });

  const extra = (key: string, ...values: string[]) => identity({ extras: [{ key, values }] });

  it('lets extras pass that the tunnel names', () => {
    const access = { ...UNSAID_ACCESS, extras: ['example.com/scopes'] };
    expect(denial({ ...GET, ...extra('example.com/scopes', 'a', 'b c') }, access)).to.equal(undefined);
    expect(denial({ ...GET, ...extra('team', 'a') }, access)).to.include('extra "team" does not pass');
    expect(denial({ ...GET, ...extra('example.com/scopes', 'a') }, UNSAID_ACCESS)).to.include('does not pass');
    expect(denial({ ...GET, ...extra('example.com/scopes', 'a') }, { ...access, mode: 'Agent' })).to.include(
      'acts as its agent',
    );
  });

  for (const key of [
    ...['authentication.kubernetes.io/credential-id', 'Authentication.Kubernetes.io/x', 'x.k8s.io/a', 'k8s.io/a'],
    ...['a%2Fb', 'Team', '', 'a:b', 'a\r\nb', 'a b'],
  ]) {
    it(`denies the extra ${JSON.stringify(key)}, even if an old tunnel names it`, () => {
      const access = { ...UNSAID_ACCESS, extras: [key] };
      expect(denial({ ...GET, ...extra(key, 'x') }, access)).to.include('reserved');
    });
  }

  for (const value of ['', 'a ', 'a\r\nImpersonate-Group: system:masters', 'ü', '\0']) {
    it(`denies an extra with the value ${JSON.stringify(value)}`, () => {
      const access = { ...UNSAID_ACCESS, extras: ['team'] };
      expect(denial({ ...GET, ...extra('team', 'a', value) }, access)).to.include('visible ASCII');
    });
  }

  it("lets the gateway's own question pass where only some are named: nothing but the version, as nobody", () => {
    const access = { ...UNSAID_ACCESS, users: ['jane'], groups: ['dev'] };
    const probe = { ...GET, path: '/version', ...identity({ user: PROBE_USER, uid: '', groups: [] }) };
    expect(denial(probe, access)).to.equal(undefined);
    expect(denial({ ...probe, path: '/api/v1/secrets' }, access)).to.include('does not pass');
    expect(denial({ ...probe, method: 'POST' }, access)).to.include('does not pass');
    expect(denial({ ...probe, ...identity({ user: PROBE_USER, groups: ['dev'] }) }, access)).to.include(
      'does not pass',
    );
    expect(denial(probe, AGENT)).to.include('acts as its agent');
  });

  it('refuses what is not reading where the tunnel is read-only, whatever the gateway let in', () => {
    expect(denial(GET, READ_ONLY)).to.equal(undefined);
    expect(denial({ ...GET, method: 'DELETE' }, READ_ONLY)).to.include('deletecollection pods');
    expect(denial({ ...GET, ...EXEC }, READ_ONLY)).to.include('upgrade');
    expect(denial({ ...GET, method: 'DELETE', identity: undefined }, { ...AGENT, readOnly: true })).to.include(
      'delete',
    );
  });

  it('property: what passes names one user, never a reserved one, whatever headers and identity say', () => {
    const texts = fc.oneof(
      fc.string({ unit: 'binary-ascii', maxLength: 12 }),
      fc.constantFrom('system:masters', 'jane', 'Impersonate-User', 'Connection', 'authorization', 'X-Remote-User', ''),
    );
    const extras = fc.array(
      fc.record({
        key: fc.oneof(fc.constantFrom('team', 'authentication.kubernetes.io/pod-name'), texts),
        values: fc.array(texts, { maxLength: 2 }),
      }),
      { maxLength: 1 },
    );
    const access = { ...UNSAID_ACCESS, extras: ['team', 'authentication.kubernetes.io/pod-name'] };
    const upgrade = fc.constantFrom([], ['Upgrade', 'websocket'], ['upgrade', 'SPDY/3.1']);
    const heads = fc.record({
      headers: fc
        .tuple(fc.array(fc.tuple(texts, texts), { maxLength: 4 }), upgrade)
        .map(([lines, asked]) => [...lines.flat(), ...asked]),
      isUpgrade: fc.boolean(),
      isLongRunning: fc.boolean(),
      identity: fc.option(fc.record({ user: texts, uid: texts, groups: fc.array(texts, { maxLength: 3 }), extras }), {
        nil: undefined,
      }),
    });
    fc.assert(
      fc.property(heads, (change) => {
        const head = { ...GET, ...change };
        if (denial(head, access) !== undefined || head.identity === undefined) return;
        const sent = outgoingHeaders(head, head.identity, 'token');
        expect(valuesOf(sent, 'impersonate-user')).to.deep.equal([head.identity.user]);
        expect(valuesOf(sent, 'impersonate-group')).to.deep.equal(head.identity.groups);
        const named = sent.filter((_, at) => at % 2 === 0).filter((name) => /^impersonate-extra-/i.test(name));
        const teams = head.identity.extras.flatMap(({ values }) => values);
        expect(valuesOf(sent, 'impersonate-extra-team')).to.deep.equal(teams);
        expect(named).to.have.length(teams.length);
        expect(valuesOf(sent, 'authorization')).to.deep.equal(['Bearer token']);
        expect(valuesOf(sent, 'connection')).to.deep.equal(head.isUpgrade ? ['Upgrade'] : []);
        expect(valuesOf(sent, 'upgrade')).to.have.length(head.isUpgrade ? 1 : 0);
        expect(head.identity.user).to.not.match(/^(system:.*|\s*|)$/);
        expect(head.identity.groups.filter((group) => /^\s*system:(?!authenticated$)/.test(group))).to.deep.equal([]);
      }),
      { numRuns: 2_000 },
    );
  });
});

const TRACEPARENT = 'a new one';
const withoutSpan = (headers: readonly string[]) =>
  headers.map((text) => (/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/.test(text) ? TRACEPARENT : text));

describe('upstream/outgoing-headers', () => {
  const sent = outgoingHeaders(
    {
      ...GET,
      headers: [
        'Host',
        'evil',
        'Expect',
        '100-continue',
        'X-Trace-Id',
        'theirs',
        'Impersonate-User',
        'root',
        'Accept',
        'x',
      ],
      traceId: 'mine',
    },
    { user: 'jane', uid: 'u', groups: ['a', 'b'] },
    'secret',
  );

  it('keeps what may cross, in its case and order, and adds identity last', () => {
    expect(withoutSpan(sent)).to.deep.equal([
      ...['Accept', 'x', 'X-Trace-ID', 'mine', 'traceparent', TRACEPARENT, 'Authorization', 'Bearer secret'],
      ...['Impersonate-User', 'jane', 'Impersonate-Uid', 'u', 'Impersonate-Group', 'a', 'Impersonate-Group', 'b'],
    ]);
  });

  it('says extras last, a line a value, with what no field name can hold percent-encoded', () => {
    const extras = [
      { key: 'example.com/scopes', values: ['read', 'write'] },
      { key: "a_b-c%(d)'", values: ['x'] },
    ];
    const headers = outgoingHeaders(GET, { ...JANE, extras }, 't');
    expect(headers.slice(headers.indexOf('Impersonate-User'))).to.deep.equal([
      ...['Impersonate-User', 'jane'],
      ...['Impersonate-Extra-example.com%2Fscopes', 'read', 'Impersonate-Extra-example.com%2Fscopes', 'write'],
      ...["Impersonate-Extra-a_b-c%25%28d%29'", 'x'],
    ]);
  });

  it('asks for an upgrade before it says for whom', () => {
    const headers = outgoingHeaders({ ...GET, ...EXEC }, JANE, 't');
    expect(withoutSpan(headers)).to.deep.equal([
      ...['Connection', 'Upgrade', 'Upgrade', 'websocket', 'X-Trace-ID', 'trace', 'traceparent', TRACEPARENT],
      ...['Authorization', 'Bearer t'],
      ...['Impersonate-User', 'jane'],
    ]);
  });

  it('replaces a trace id that is none', () => {
    const headers = outgoingHeaders({ ...GET, traceId: 'a\r\nb' }, JANE, 't');
    expect(valuesOf(headers, 'x-trace-id')[0]).to.match(/^[0-9a-f]{32}$/);
  });
});
