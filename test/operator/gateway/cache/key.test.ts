import { expect } from 'chai';
import fc from 'fast-check';
import { type KeyParts, keyOf } from '../../../../operator/gateway/cache/key.ts';

/** Few and short, so that equal ones and those that only look equal are found. */
const name = fc.constantFrom('', 'a', 'b', 'a,b', '","', 'ab');
const names = fc.array(name, { maxLength: 3 });
const parts: fc.Arbitrary<KeyParts> = fc.record({
  mode: fc.constantFrom('Impersonate', 'Agent'),
  user: fc.record({ username: name, uid: name, groups: names, extra: fc.dictionary(name, names, { maxKeys: 2 }) }),
  identity: fc.option(fc.record({ user: name, uid: name, groups: names }), { nil: undefined }),
  path: fc.constantFrom('/api', '/apis', '/api?a'),
  headers: fc.constantFrom(
    [],
    ['Accept', 'a'],
    ['accept', 'b'],
    ['Accept-Encoding', 'a'],
    ['Accept', 'a', 'Accept', 'b'],
  ),
});

/** The same text for the same identity, by other means than the key: canonical values, one a line, with what they are. */
function told({ mode, user, identity, path, headers }: KeyParts): string {
  const lines = [`mode ${mode}`, `path ${path}`, `name ${user.username}`, `uid ${user.uid}`];
  for (const group of new Set(user.groups)) lines.push(`group ${group}`);
  for (const [key, values] of Object.entries(user.extra)) {
    lines.push(`extra ${key.length} ${key}`);
    for (const value of new Set(values)) lines.push(`extra value ${key.length} ${key} ${value}`);
  }
  if (identity !== undefined) {
    lines.push(`target name ${identity.user}`, `target uid ${identity.uid}`);
    for (const group of new Set(identity.groups)) lines.push(`target group ${group}`);
  }
  for (const field of ['accept', 'accept-encoding']) {
    headers.forEach((value, at) => {
      if (at % 2 === 1 && headers[at - 1]?.toLowerCase() === field) lines.push(`${field} ${value}`);
    });
  }
  return lines.sort().join('\n');
}

describe('operator/gateway/cache/key', () => {
  it('is equal for the same identity and question, and never for two that differ in anything', () => {
    fc.assert(
      fc.property(parts, parts, (a, b) => (keyOf(a) === keyOf(b)) === (told(a) === told(b))),
      { numRuns: 2_000 },
    );
    const nearly = fc.tuple(parts, parts, fc.constantFrom('mode', 'user', 'identity', 'path', 'headers'));
    fc.assert(
      fc.property(nearly, ([a, b, part]) => {
        const other = { ...a, [part]: b[part as keyof KeyParts] };
        return (keyOf(a) === keyOf(other)) === (told(a) === told(other));
      }),
      { numRuns: 2_000 },
    );
  });

  it('takes groups for a set', () => {
    const [sample] = fc.sample(parts, 1) as [KeyParts];
    const withGroups = (groups: string[]) => keyOf({ ...sample, user: { ...sample.user, groups } });
    expect(withGroups(['a', 'b'])).to.equal(withGroups(['b', 'a', 'b']));
    expect(withGroups(['a', 'b'])).to.not.equal(withGroups(['a,b']));
  });
});
