import { KubeConfig } from '@kubernetes/client-node';
import { expect } from 'chai';
import fc from 'fast-check';
import { type Document, isMap, isSeq, parseDocument, stringify } from 'yaml';
import { LIST_NAMES, LISTS, type ListName, parseKubeconfig, rootData } from '../../../cli/kubeconfig/document.ts';
import { markerOf } from '../../../cli/kubeconfig/marker.ts';
import { conflictsOf, mergeTunnel, type Wanted } from '../../../cli/kubeconfig/merge.ts';

const MARKER = { tunnel: 'prod', hub: 'https://hub:6443' };
const WANTED: Wanted = {
  name: 'prod',
  marker: MARKER,
  server: 'https://gateway/clusters/prod',
  caPem: 'CA',
  user: { fields: { token: 'secret' } },
  isCurrent: false,
};

const CLUSTER = `- cluster:
    certificate-authority-data: Q0E=
    server: https://gateway/clusters/prod
    extensions:
    - extension:
        hub: https://hub:6443
        tunnel: prod
      name: clustertunnel.io
  name: prod
`;
const CONTEXT = `- context:
    cluster: prod
    user: prod
    extensions:
    - extension:
        hub: https://hub:6443
        tunnel: prod
      name: clustertunnel.io
  name: prod
`;
const USER = `- name: prod
`.replace(
  '- name: prod\n',
  `- user:
    token: secret
    extensions:
    - extension:
        hub: https://hub:6443
        tunnel: prod
      name: clustertunnel.io
  name: prod
`,
);
const ALONE = `apiVersion: v1\nkind: Config\nclusters:\n${CLUSTER}contexts:\n${CONTEXT}users:\n${USER}`;

const indented = (text: string, columns: number) => text.replace(/^/gm, ' '.repeat(columns)).trimEnd();

describe('cli/kubeconfig/merge', () => {
  const cases: readonly (readonly [what: string, before: string, after: string])[] = [
    ['an empty file becomes a kubeconfig', '', ALONE],
    ['a file of comments keeps them', '# mine', `# mine\n${ALONE}`],
    [
      'entries go behind the last one, comments and odd spacing stay',
      `# head
apiVersion:   v1
clusters:
- name: a   # the old one
  cluster: { server:  'https://a' }   # tail
  # below a
# before users
users:

- {name: a, user: {}}
contexts:
-   name: a
    context: {cluster: a,
              user: a}

# end
`,
      `# head
apiVersion:   v1
clusters:
- name: a   # the old one
  cluster: { server:  'https://a' }   # tail
${CLUSTER}  # below a
# before users
users:

- {name: a, user: {}}
${USER}contexts:
-   name: a
    context: {cluster: a,
              user: a}
${CONTEXT}
# end
`,
    ],
    [
      'indented lists stay indented, a file without a last line break gets one',
      'clusters:\n    - name: a\n      cluster: {server: x}\ncontexts:\n  # none yet\nusers: []',
      `clusters:\n    - name: a\n      cluster: {server: x}\n${indented(CLUSTER, 4)}\ncontexts:\n${CONTEXT}  # none yet\nusers:\n${USER}`,
    ],
    [
      'empty lists are filled where they stand',
      'users: null # nobody\nclusters: []\ncontexts:\nkind: Config\n',
      `users: # nobody\n${USER}clusters:\n${CLUSTER}contexts:\n${CONTEXT}kind: Config\n`,
    ],
    [
      'a literal block at the end of an entry stays',
      'users:\n- name: a\n  user:\n    exec:\n      installHint: |\n        # get it\n\n        there\nclusters:\ncontexts:\n',
      `users:\n- name: a\n  user:\n    exec:\n      installHint: |\n        # get it\n\n        there\n${USER}clusters:\n${CLUSTER}contexts:\n${CONTEXT}`,
    ],
    [
      'line breaks stay those of the file',
      'clusters: []\r\nusers: []\r\ncontexts: []\r\n',
      `clusters:\n${CLUSTER}users:\n${USER}contexts:\n${CONTEXT}`.replaceAll('\n', '\r\n'),
    ],
  ];
  for (const [what, before, after] of cases) {
    it(what, () => {
      expect(mergeTunnel(before, WANTED).text).to.equal(after);
      expect(mergeTunnel(after, WANTED).text, 'the second time').to.equal(after);
    });
  }

  const jsonItem = (list: ListName, depth?: number) =>
    JSON.stringify((rootData(ALONE)[list] as unknown[])[0], undefined, depth);

  it('JSON on one line stays JSON on one line', () => {
    const before = '{"kind":"Config","clusters":[{"name":"a","cluster":{"server":"x"}}],"users":[]}';
    const after = `{"kind":"Config","clusters":[{"name":"a","cluster":{"server":"x"}}, ${jsonItem('clusters')}],"users":[${jsonItem('users')}], "contexts": [${jsonItem('contexts')}]}`;
    expect(mergeTunnel(before, WANTED).text).to.equal(after);
    expect(JSON.parse(after)).to.have.keys('kind', 'clusters', 'users', 'contexts');
    expect(mergeTunnel(after, WANTED).text).to.equal(after);
  });

  it('an empty JSON object is filled', () => {
    const lists = (['clusters', 'contexts', 'users'] as const).map((list) => `"${list}": [${jsonItem(list)}]`);
    expect(mergeTunnel('{}', WANTED).text).to.equal(`{${lists.join(', ')}}`);
  });

  it('a document mark and a byte order mark stay', () => {
    expect(mergeTunnel('---\n', WANTED).text).to.equal(`---\n${ALONE}`);
    expect(mergeTunnel('\uFEFFkind: Config\n', WANTED).text).to.match(/^\uFEFFkind: Config\nclusters:\n/);
  });

  it('JSON on many lines stays JSON, and so does its layout', () => {
    const before = JSON.stringify({ clusters: [{ name: 'a', cluster: { server: 'x' } }] }, undefined, '\t');
    const { text } = mergeTunnel(before, WANTED);
    expect(JSON.parse(text)).to.deep.equal({
      clusters: [{ name: 'a', cluster: { server: 'x' } }, (rootData(ALONE)['clusters'] as unknown[])[0]],
      contexts: rootData(ALONE)['contexts'],
      users: rootData(ALONE)['users'],
    });
    expect(text.startsWith(before.slice(0, before.lastIndexOf('}', before.length - 8)))).to.equal(true);
    expect(mergeTunnel(text, WANTED).text).to.equal(text);
  });

  it('an entry of ours is replaced where it stands, and the comment behind it stays', () => {
    const before = ALONE.replace('contexts:', '  # the next list\ncontexts:');
    const { text, changes } = mergeTunnel(before, { ...WANTED, server: 'https://other/clusters/prod' });
    expect(text).to.equal(before.replace('https://gateway/clusters/prod', 'https://other/clusters/prod'));
    expect(changes.map(({ list, what }) => `${list} ${what}`)).to.deep.equal([
      'clusters changed',
      'contexts unchanged',
      'users unchanged',
    ]);
  });

  it('what a person added to an entry of ours stays, but for another way of trust', () => {
    const before = ALONE.replace('    user: prod\n', '    user: prod\n    namespace: demo\n').replace(
      '    server:',
      '    proxy-url: http://proxy\n    insecure-skip-tls-verify: true\n    server:',
    );
    const { text } = mergeTunnel(before, WANTED);
    const { clusters, contexts } = parseKubeconfig(text);
    expect(contexts[0]?.fields['namespace']).to.equal('demo');
    expect(clusters[0]?.fields)
      .to.include({ 'proxy-url': 'http://proxy' })
      .and.not.have.property('insecure-skip-tls-verify');
    expect(mergeTunnel(text, WANTED).text).to.equal(text);
  });

  it('a user that the file has is referred to, and no user is added', () => {
    const before = 'users:\n- name: alice\n  user: {token: hers}\n';
    const { text } = mergeTunnel(before, { ...WANTED, user: { existing: 'alice' } });
    expect(text.startsWith(before)).to.equal(true);
    const { users, contexts } = parseKubeconfig(text);
    expect(users).to.have.length(1);
    expect(contexts[0]?.fields).to.include({ cluster: 'prod', user: 'alice' });
  });

  it('a user to refer to that is gone meanwhile is an error', () => {
    expect(() => mergeTunnel('users: []', { ...WANTED, user: { existing: 'alice' } })).to.throw('no user "alice"');
  });

  const currents: readonly (readonly [before: string, after: string])[] = [
    ['current-context: a # mine\n', 'current-context: prod # mine\n'],
    ['current-context: ""\n', 'current-context: prod\n'],
    ['current-context:\n', 'current-context: prod\n'],
    ['kind: Config\n', 'current-context: prod\n'],
  ];
  for (const [before, after] of currents) {
    it(`the current context is set in ${JSON.stringify(before)} when that is wanted, and only then`, () => {
      expect(mergeTunnel(before, WANTED).text).to.contain(before);
      expect(mergeTunnel(before, { ...WANTED, isCurrent: true }).text).to.contain(after);
    });
  }

  it('names and tokens that YAML 1.1 takes for something else are quoted', () => {
    for (const name of ['no', '1e3', '0755', '2024-01-01', 'null']) {
      const { text } = mergeTunnel('', { ...WANTED, name, user: { fields: { token: '12:30:00' } }, isCurrent: true });
      expect(loaded(text).getCurrentContext()).to.equal(name);
      expect(text).to.contain(`name: "${name}"`).and.to.contain('token: "12:30:00"');
    }
  });

  const refused: readonly (readonly [what: string, text: string, why: RegExp])[] = [
    ['another kind', 'kind: Pod\n', /Pod, not a Config/],
    ['other YAML', 'version: 3\nservices: {}\n', /none of the fields/],
    ['no mapping', '- a\n', /no mapping/],
    ['text', 'hello', /no mapping/],
    ['broken YAML', 'clusters: [\n', /line/],
    ['two documents', 'kind: Config\n---\nkind: Config\n', /multiple documents/],
    ['a list that is none', 'clusters: {a: 1}\n', /clusters is no list/],
    ['an entry without a name', 'users: [{}]\n', /users\[0\] has no name/],
    ['a field twice', 'users: []\nusers: []\n', /unique/],
  ];
  for (const [what, text, why] of refused) {
    it(`${what} is refused`, () => expect(() => mergeTunnel(text, WANTED)).to.throw(why));
  }

  it('a text that cannot be changed in place is refused, never damaged', () => {
    for (const text of ['{clusters}', 'users: &x [{name: a}]\nclusters: *x\n']) {
      expect(() => mergeTunnel(text, WANTED), text).to.throw('cannot be changed in place');
    }
  });

  describe('conflicts', () => {
    const conflicts = (text: string, wanted = WANTED) => conflictsOf(parseKubeconfig(text), wanted);
    it('our own entries are none', () => expect(conflicts(ALONE)).to.deep.equal([]));
    it("somebody else's entry of the name is one", () => {
      expect(conflicts('clusters:\n- {name: prod, cluster: {server: x}}\n')).to.deep.equal([
        { list: 'clusters', name: 'prod', marker: undefined },
      ]);
    });
    it('an entry of ours that leads to another hub or tunnel is one', () => {
      const other = { ...WANTED, marker: { ...MARKER, hub: 'https://other:6443' } };
      expect(conflicts(ALONE, other).map(({ list }) => list)).to.deep.equal(['clusters', 'contexts', 'users']);
      expect(conflicts(ALONE, other)[0]?.marker).to.deep.equal(MARKER);
    });
    it('a user is none when another one is referred to', () => {
      const text = 'users: [{name: prod, user: {}}, {name: alice, user: {}}]\n';
      expect(conflicts(text)).to.have.length(1);
      expect(conflicts(text, { ...WANTED, user: { existing: 'alice' } })).to.deep.equal([]);
    });
  });

  it('any kubeconfig: foreign entries survive byte for byte, ours are found again, twice changes nothing, it loads', () => {
    fc.assert(
      fc.property(kubeconfigs(), fc.boolean(), fc.boolean(), (before, isCurrent, isUpdated) => {
        const foreign = sources(before);
        const wanted = { ...WANTED, isCurrent };
        const first = mergeTunnel(before, wanted).text;
        const after = isUpdated ? mergeTunnel(first, { ...wanted, user: { fields: { token: 'new' } } }).text : first;
        expect(sources(after).filter(({ name }) => name !== 'prod')).to.deep.equal(foreign);
        expect(commentsOf(after)).to.deep.equal(commentsOf(before));
        const seen = parseKubeconfig(after);
        const ours = LIST_NAMES.map((list) => seen[list].find(({ name }) => name === 'prod')?.fields ?? {});
        expect(ours.map(markerOf)).to.deep.equal([MARKER, MARKER, MARKER]);
        if (!isUpdated) expect(mergeTunnel(after, wanted).text).to.equal(after);
        const config = loaded(after);
        expect(config.getContextObject('prod')).to.include({ cluster: 'prod', user: 'prod' });
        expect(config.getUser('prod')?.token).to.equal(isUpdated ? 'new' : 'secret');
        expect(config.getCurrentContext()).to.equal(
          isCurrent ? 'prod' : parseKubeconfig(before).currentContext || undefined,
        );
      }),
      { numRuns: 100 },
    );
  }).timeout(30_000);
});

function loaded(text: string): KubeConfig {
  const config = new KubeConfig();
  config.loadFromString(text);
  return config;
}

interface Source {
  readonly list: ListName;
  readonly name: string;
  readonly text: string;
}

/** Every entry with its very bytes, but for the line break at its end: the last line of a file may have none. */
function sources(text: string): Source[] {
  const document: Document.Parsed = parseDocument(text);
  return LIST_NAMES.flatMap((list) => {
    const items = isMap(document.contents) ? document.contents.get(list) : undefined;
    if (!isSeq(items)) return [];
    return items.items.flatMap((item) => {
      if (!isMap(item) || item.range === null || item.range === undefined) return [];
      const name = String(item.get('name'));
      return [{ list, name, text: text.slice(item.range[0], item.range[1]).replace(/\r?\n$/, '') }];
    });
  });
}

/** Comments in their order; none of the generated values holds a #. */
function commentsOf(text: string): string[] {
  return (text.match(/#.*/g) ?? []).map((comment) => comment.trim());
}

/** Kubeconfigs as people and programs write them. */
function kubeconfigs(): fc.Arbitrary<string> {
  const name = fc.stringMatching(/^[a-z][a-z0-9@:./ _-]{0,12}[a-z0-9]$/).filter((each) => each !== 'prod');
  const value = fc.oneof(
    fc.string({ maxLength: 20 }).map((each) => each.replace(/[#\u0085\u2028\u2029\uFEFF]/g, '')),
    fc.constant('line\n  two\n'),
  );
  const fieldsOf: Readonly<Record<ListName, fc.Arbitrary<object>>> = {
    clusters: fc.record(
      { server: fc.webUrl({ withFragments: false }), 'tls-server-name': value },
      { requiredKeys: ['server'] },
    ),
    contexts: fc.record({ cluster: name, user: name, namespace: value }, { requiredKeys: ['cluster'] }),
    users: fc.record(
      { token: value, exec: fc.record({ command: value, args: fc.array(value, { maxLength: 2 }) }) },
      { requiredKeys: [] },
    ),
  };
  const list = (each: ListName) =>
    fc.option(
      fc.uniqueArray(
        fc.tuple(name, fieldsOf[each]).map(([entry, fields]) => ({ name: entry, [LISTS[each]]: fields })),
        { selector: (item) => item.name, maxLength: 3 },
      ),
      { nil: undefined },
    );
  const data = fc
    .record({
      clusters: list('clusters'),
      contexts: list('contexts'),
      users: list('users'),
      current: fc.option(name, { nil: undefined }),
    })
    .chain(({ current, ...lists }) => {
      const pairs: [string, unknown][] = [['apiVersion', 'v1'], ['kind', 'Config'], ...Object.entries(lists)];
      if (current !== undefined) pairs.push(['current-context', current]);
      const present = pairs.filter(([, each]) => each !== undefined);
      return fc.shuffledSubarray(present, { minLength: present.length }).map((order) => Object.fromEntries(order));
    });
  return fc.tuple(data, layouts()).map(([value, layout]) => layout(value));
}

function layouts(): fc.Arbitrary<(data: object) => string> {
  const json = fc
    .constantFrom(undefined, 2, '\t')
    .map((space) => (data: object) => JSON.stringify(data, undefined, space));
  const yaml = fc
    .record({
      indent: fc.constantFrom(2, 4),
      indentSeq: fc.boolean(),
      lineWidth: fc.constantFrom(0, 20),
      isCrlf: fc.boolean(),
      isCut: fc.boolean(),
      comments: fc.boolean(),
    })
    .map(({ isCrlf, isCut, comments, ...options }) => (data: object) => {
      let text = stringify(data, { ...options, compat: 'yaml-1.1' });
      // Before each key and each entry of a list; deeper there may be literal blocks.
      if (comments) text = text.replace(/^(?=[a-z]| {0,4}- (name|cluster|context|user):)/gm, '# why\n');
      if (isCut) text = text.trimEnd();
      return isCrlf ? text.replaceAll('\n', '\r\n') : text;
    });
  return fc.oneof(json, yaml);
}
