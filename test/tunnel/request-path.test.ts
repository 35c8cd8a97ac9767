import { expect } from 'chai';
import fc from 'fast-check';
import { MAX_PATH_BYTES, pathTrouble } from '../../tunnel/request-path.ts';

describe('tunnel/request-path', () => {
  const REFUSED: readonly [string, string][] = [
    ['the absolute form', 'http://evil.example.com/api'],
    ['the authority form', 'evil.example.com:443'],
    ['the asterisk form', '*'],
    ['nothing', ''],
    ['a relative path', 'api/v1'],
    ['two slashes in front', '//evil.example.com/api'],
    ['an empty segment', '/api//v1'],
    ['an empty segment at the end', '/api/v1//'],
    ['a dot segment', '/a/./b'],
    ['a dot segment at the end', '/a/.'],
    ['two dots', '/a/../b'],
    ['two dots at the end', '/a/..'],
    ['one encoded dot', '/a/%2e/b'],
    ['two encoded dots', '/a/%2e%2e/b'],
    ['two encoded dots in capitals', '/a/%2E%2E/b'],
    ['a plain and an encoded dot', '/a/.%2e/b'],
    ['an encoded and a plain dot', '/a/%2e./b'],
    ['two dots with a parameter', '/a/..;x=1/b'],
    ['two dots with an encoded parameter', '/a/..%3bx/b'],
    ['two dots after a parameter', '/a;x/../b'],
    ['an encoded slash', '/a/b%2fc'],
    ['an encoded slash in capitals', '/a/b%2Fc'],
    ['an encoded backslash', '/a/b%5cc'],
    ['an encoded backslash in capitals', '/a/b%5Cc'],
    ['an encoded NUL', '/a/b%00'],
    ['a hidden dot segment', '/a/..%2f..%2fb'],
    ['a backslash', '/a\\b'],
    ['a backslash in the query', '/a?x=\\'],
    ['a fragment', '/a#b'],
    ['a fragment in the query', '/a?b#c'],
    ['a space', '/a b'],
    ['a tab', '/a\tb'],
    ['a line feed', '/a\nb'],
    ['a carriage return in the query', '/a?b\rc'],
    ['a NUL', '/a\0b'],
    ['DEL', '/a\x7fb'],
    ['a byte beyond ASCII', '/\xe4'],
    ['a character beyond Latin-1', '/\u0100'],
    ['a % without digits', '/a%'],
    ['a % with one digit', '/a%2'],
    ['a % with what are no digits', '/a%zz'],
    ['too many bytes', `/${'a'.repeat(MAX_PATH_BYTES)}`],
  ];
  for (const [what, path] of REFUSED) {
    it(`refuses ${what}`, () => {
      expect(pathTrouble(path)).to.be.a('string');
    });
  }

  const PASSED: readonly string[] = [
    '/',
    '/api',
    '/api/v1/',
    '/version?timeout=32s',
    '/openapi/v3?timeout=32s',
    '/openapi/v3/apis/apps/v1?hash=ABC%3D%3D',
    '/apis/apps/v1/namespaces/default/deployments?fieldManager=kubectl&fieldValidation=Strict',
    '/apis/apps/v1/namespaces/default/deployments/web?fieldManager=kubectl-client-side-apply&fieldValidation=Strict&force=true',
    '/api/v1/namespaces/default/services/https:foo:443/proxy/',
    '/api/v1/namespaces/default/services/https:foo:443/proxy/api/search?q=a//b&r=..%2F..',
    '/api/v1/pods?labelSelector=app%2Ekubernetes%2Eio%2Fname%3Dx%2Ctier+in+%28a%2Cb%29&limit=500',
    '/api/v1/namespaces?continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MX0%3D',
    '/api/v1/pods?fieldSelector=spec.nodeName%3Dn1,status.phase!=Running&watch=true&resourceVersion=12',
    '/api/v1/namespaces/default/pods/p/log?container=c&follow=true&sinceTime=2026-01-01T00%3A00%3A00Z',
    '/api/v1/namespaces/default/pods/p/exec?command=sh&command=-c&command=ls+%2F&stdin=true&tty=true',
    '/api/v1/nodes/node-1.example.com/proxy/metrics/cadvisor',
    '/apis/metrics.k8s.io/v1beta1/pods',
    '/apis/rbac.authorization.k8s.io/v1/clusterroles/system:controller:job-controller',
    '/apis/example.com/v1/namespaces/default/foos/a%20b~c',
    '/api/v1/namespaces/default/configmaps/..data',
    '/api/v1/namespaces/default/configmaps/a..b',
    '/api/v1/namespaces/default/configmaps/...',
    '/api/v1/pods?x=%',
    '/a%252e%252e/b',
    `/${'a'.repeat(MAX_PATH_BYTES - 1)}`,
  ];
  for (const path of PASSED) {
    it(`lets ${path.slice(0, 90)} pass`, () => {
      expect(pathTrouble(path)).to.equal(undefined);
    });
  }

  it('says what is wrong in a sentence that names it', () => {
    expect(pathTrouble('/a/%2e%2e/b')).to.equal('the path segment %2e%2e means another place once decoded');
    expect(pathTrouble(`/${'a'.repeat(16 * 1024)}`)).to.equal('the path has 16385 bytes, allowed 16384');
  });

  it('property: what passes means the same place to every parser', () => {
    const piece = fc.constantFrom(
      'a',
      '.',
      '..',
      '/',
      '//',
      '%2e',
      '%2E',
      '%2f',
      '%5c',
      '\\',
      ';',
      '?',
      '#',
      '%',
      '%00',
      ' ',
      'ä',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const path = `/${pieces.join('')}`;
        if (pathTrouble(path) !== undefined) return;
        const [plain = ''] = path.split('?', 1);
        const url = new URL(path, 'https://host');
        expect(url.host).to.equal('host');
        expect(url.pathname).to.equal(plain);
        const decoded = plain.replace(/%(..)/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 16)));
        expect(decoded.split('/')).to.have.length(plain.split('/').length);
      }),
      { numRuns: 2_000 },
    );
  });
});
