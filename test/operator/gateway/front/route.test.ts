import { expect } from 'chai';
import { rowOf } from '../../../../operator/gateway/front/fault.ts';
import { bearerToken, hubVerb, lineTrouble, type Route, routeOf } from '../../../../operator/gateway/front/route.ts';
import { TunnelError } from '../../../../operator/gateway/front/tunnel-error.ts';

const at = (url: string, method = 'GET', headers: string[] = []) => routeOf({ method, url, headers });
const statusOf = (routed: unknown) => (routed instanceof TunnelError ? rowOf(routed.kind).status : undefined);

describe('operator/gateway/front/route', () => {
  const ROUTES: readonly [string, string, string][] = [
    ['/clusters/c1/api/v1/pods?watch=1', 'c1', '/api/v1/pods?watch=1'],
    ['/clusters/c1/', 'c1', '/'],
    ['/clusters/c1', 'c1', '/'],
    ['/clusters/c1?x=1', 'c1', '/?x=1'],
    ['/clusters/c1/clusters/c2/api', 'c1', '/clusters/c2/api'],
    ['/clusters/a.b-c.example.com/version', 'a.b-c.example.com', '/version'],
    [
      '/clusters/c1/api/v1/namespaces/a/services/https:foo:443/proxy/?q=a//b%2Fc',
      'c1',
      '/api/v1/namespaces/a/services/https:foo:443/proxy/?q=a//b%2Fc',
    ],
  ];
  for (const [url, tunnel, path] of ROUTES) {
    it(`sends ${url} to ${tunnel} as ${path}`, () => {
      expect(at(url)).to.deep.include({ tunnel, path, plainPath: path.split('?')[0] });
    });
  }

  const REFUSED: readonly [string, string, number][] = [
    ['/', 'GET', 404],
    ['/clusters', 'GET', 404],
    ['/api/v1/pods', 'GET', 404],
    ['/Clusters/c1', 'GET', 404],
    ['/clusters/', 'GET', 400],
    ['/clusters/-c1/', 'GET', 400],
    ['/clusters/c_1/', 'GET', 400],
    ['/clusters/C1/', 'GET', 400],
    [`/clusters/${'a'.repeat(254)}/`, 'GET', 400],
    ['/clusters/c1/../c2', 'GET', 400],
    ['http://g/clusters/c1', 'GET', 400],
    ['/clusters/c1/', 'CONNECT', 405],
    ['/clusters/c1/', 'TRACE', 405],
    ['/clusters/c1/', 'get', 405],
    ['/clusters/c1/', '', 405],
  ];
  for (const [url, method, status] of REFUSED) {
    it(`answers ${status} to ${method} ${url.slice(0, 40)}`, () => {
      expect(statusOf(at(url, method))).to.equal(status);
    });
  }

  it('answers 400 and 431 to headers that may not pass', () => {
    expect(statusOf(at('/clusters/c1/', 'GET', ['Host', 'a', 'Host', 'b']))).to.equal(400);
    expect(statusOf(at('/clusters/c1/', 'GET', Array(402).fill('a')))).to.equal(431);
  });

  const VERBS: readonly [string, string, boolean, string][] = [
    ['GET', '/api/v1/pods', false, 'list'],
    ['GET', '/api/v1/pods?watch=1', false, 'watch'],
    ['GET', '/api/v1/nodes/n', false, 'get'],
    ['DELETE', '/api/v1/pods', false, 'deletecollection'],
    ['PATCH', '/api/v1/nodes/n', false, 'patch'],
    ['GET', '/version', false, 'get'],
    ['HEAD', '/version', false, 'get'],
    ['POST', '/some/where', false, 'create'],
    ['DELETE', '/some/where', false, 'delete'],
    ['GET', '/api/v1/proxy/nodes/n', false, 'get'],
    ['DELETE', '/api/v1/proxy/nodes/n', false, 'delete'],
    ['GET', '/api/v1/namespaces/a/pods/p/exec', true, 'create'],
    ['GET', '/api/v1/pods?watch=1', true, 'create'],
    ['POST', '/api/v1/namespaces/a/pods/p/exec', true, 'create'],
    ['GET', '/version', true, 'create'],
  ];
  for (const [method, path, isUpgrade, verb] of VERBS) {
    it(`asks the hub for ${verb} when ${isUpgrade ? 'an upgrade by ' : ''}${method} wants ${path}`, () => {
      expect(hubVerb(at(`/clusters/c1${path}`, method) as Route, method, isUpgrade)).to.equal(verb);
    });
  }

  const ORIGINS: readonly [string, string, boolean][] = [
    ['https://g:8443', 'g:8443', true],
    ['HTTPS://G', 'g:443', true],
    ['https://g:443', 'G', true],
    ['https://g', 'g:8443', false],
    ['http://g', 'g', false],
    ['https://evil.example', 'g', false],
    ['null', 'g', false],
    ['', 'g', false],
  ];
  for (const [origin, host, isOurs] of ORIGINS) {
    it(`${isOurs ? 'serves' : 'refuses'} a page of ${JSON.stringify(origin)} at ${host}`, () => {
      for (const name of ['Host', ':authority']) {
        const headers = [name, host, 'Origin', origin];
        expect(lineTrouble({ method: 'GET', url: '/x', headers })?.kind).to.equal(isOurs ? undefined : 'forbidden');
      }
    });
  }

  it('serves pages of the origins that it is told', () => {
    const line = { method: 'GET', url: '/x', headers: ['Host', 'g', 'Origin', 'https://Console.example:443'] };
    expect(lineTrouble(line, ['https://console.example'])).to.equal(undefined);
    expect(lineTrouble(line, ['https://other.example'])?.message).to.include('--allowed-origin');
  });

  it('reads no token of more than 16 KiB', () => {
    expect(bearerToken(['Authorization', `Bearer ${'a'.repeat(16_384)}`])).to.have.length(16_384);
    expect(bearerToken(['Authorization', `Bearer ${'a'.repeat(16_385)}`])).to.equal('');
  });

  const TOKENS: readonly [string | undefined, string | undefined][] = [
    [undefined, undefined],
    ['Bearer abc.DEF-1_2~+/=', 'abc.DEF-1_2~+/='],
    ['bearer abc', 'abc'],
    ['BEARER   abc', 'abc'],
    ['Bearer', ''],
    ['Bearer ', ''],
    ['Bearer a b', ''],
    ['Bearer a,b', ''],
    ['Basic abc', ''],
    ['abc', ''],
    ['', ''],
  ];
  for (const [value, token] of TOKENS) {
    it(`reads the token ${JSON.stringify(token)} of Authorization: ${value}`, () => {
      expect(bearerToken(value === undefined ? [] : ['Authorization', value])).to.equal(token);
    });
  }
});
