import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import { isLongRunning, type RequestInfo, requestInfo, verbOfMethod } from '../../tunnel/request-info.ts';

const NOTHING = { apiGroup: '', apiVersion: '', namespace: '', resource: '', subresource: '', name: '' };

/** A row in meaning the API server's own: method, path, verb, then what differs from a request of the core group in version v1. */
type Row = readonly [string, string, string, Partial<RequestInfo>];

/** Source: k8s.io/apiserver pkg/endpoints/request/requestinfo_test.go. */
const RESOURCES: readonly Row[] = [
  // Namespaces themselves.
  ['GET', '/api/v1/namespaces', 'list', { resource: 'namespaces' }],
  ['GET', '/api/v1/namespaces/other', 'get', { namespace: 'other', resource: 'namespaces', name: 'other' }],
  ['DELETE', '/api/v1/namespaces/other', 'delete', { namespace: 'other', resource: 'namespaces', name: 'other' }],
  [
    'PUT',
    '/api/v1/namespaces/other/finalize',
    'update',
    { namespace: 'other', resource: 'namespaces', name: 'other', subresource: 'finalize' },
  ],
  [
    'PUT',
    '/api/v1/namespaces/other/status',
    'update',
    { namespace: 'other', resource: 'namespaces', name: 'other', subresource: 'status' },
  ],
  // Lists, gets.
  ['GET', '/api/v1/namespaces/other/pods', 'list', { namespace: 'other', resource: 'pods' }],
  ['GET', '/api/v1/namespaces/other/pods/foo', 'get', { namespace: 'other', resource: 'pods', name: 'foo' }],
  ['HEAD', '/api/v1/namespaces/other/pods/foo', 'get', { namespace: 'other', resource: 'pods', name: 'foo' }],
  ['HEAD', '/api/v1/namespaces/other/pods', 'list', { namespace: 'other', resource: 'pods' }],
  ['GET', '/api/v1/pods', 'list', { resource: 'pods' }],
  ['GET', '/api/v1/nodes/n1', 'get', { resource: 'nodes', name: 'n1' }],
  ['GET', '/api/v1/pods/', 'list', { resource: 'pods' }],
  // Writes.
  ['POST', '/api/v1/namespaces/other/pods', 'create', { namespace: 'other', resource: 'pods' }],
  ['PUT', '/api/v1/namespaces/other/pods/foo', 'update', { namespace: 'other', resource: 'pods', name: 'foo' }],
  ['PATCH', '/api/v1/namespaces/other/pods/foo', 'patch', { namespace: 'other', resource: 'pods', name: 'foo' }],
  ['DELETE', '/api/v1/namespaces/other/pods/foo', 'delete', { namespace: 'other', resource: 'pods', name: 'foo' }],
  ['DELETE', '/api/v1/namespaces/other/pods', 'deletecollection', { namespace: 'other', resource: 'pods' }],
  ['DELETE', '/api/v1/nodes?labelSelector=a', 'deletecollection', { resource: 'nodes' }],
  ['OPTIONS', '/api/v1/pods', '', { resource: 'pods' }],
  // Subresources, and what stands behind them.
  [
    'GET',
    '/api/v1/namespaces/other/pods/foo/log',
    'get',
    { namespace: 'other', resource: 'pods', name: 'foo', subresource: 'log' },
  ],
  [
    'POST',
    '/api/v1/namespaces/other/pods/foo/binding',
    'create',
    { namespace: 'other', resource: 'pods', name: 'foo', subresource: 'binding' },
  ],
  [
    'PATCH',
    '/api/v1/namespaces/other/pods/foo/ephemeralcontainers',
    'patch',
    { namespace: 'other', resource: 'pods', name: 'foo', subresource: 'ephemeralcontainers' },
  ],
  [
    'GET',
    '/api/v1/namespaces/other/services/https:foo:443/proxy/a/b',
    'get',
    { namespace: 'other', resource: 'services', name: 'https:foo:443', subresource: 'proxy' },
  ],
  ['GET', '/api/v1/nodes/n1/proxy/metrics', 'get', { resource: 'nodes', name: 'n1', subresource: 'proxy' }],
  [
    'POST',
    '/api/v1/namespaces/other/serviceaccounts/sa/token',
    'create',
    { namespace: 'other', resource: 'serviceaccounts', name: 'sa', subresource: 'token' },
  ],
  // Watches: in the query, and in the path as it was once.
  ['GET', '/api/v1/namespaces/other/pods?watch=true', 'watch', { namespace: 'other', resource: 'pods' }],
  ['GET', '/api/v1/pods?watch=1', 'watch', { resource: 'pods' }],
  ['GET', '/api/v1/pods?watch', 'watch', { resource: 'pods' }],
  ['GET', '/api/v1/pods?watch=', 'watch', { resource: 'pods' }],
  ['GET', '/api/v1/pods?watch=yes', 'watch', { resource: 'pods' }],
  ['GET', '/api/v1/pods?watch=false', 'list', { resource: 'pods' }],
  ['GET', '/api/v1/pods?watch=FALSE', 'list', { resource: 'pods' }],
  ['GET', '/api/v1/pods?watch=0', 'list', { resource: 'pods' }],
  ['GET', '/api/v1/pods?watch=0&watch=1', 'list', { resource: 'pods' }],
  ['GET', '/api/v1/pods?watch=1&watch=0', 'watch', { resource: 'pods' }],
  ['GET', '/api/v1/pods?Watch=1', 'list', { resource: 'pods' }],
  ['GET', '/api/v1/pods?w%61tch=%31', 'watch', { resource: 'pods' }],
  ['GET', '/api/v1/pods?limit=x&watch=1', 'watch', { resource: 'pods' }],
  ['HEAD', '/api/v1/pods?watch=1', 'watch', { resource: 'pods' }],
  ['GET', '/api/v1/pods/foo?watch=1', 'get', { resource: 'pods', name: 'foo' }],
  ['POST', '/api/v1/pods?watch=1', 'create', { resource: 'pods' }],
  // Pairs that Go's net/url leaves out are not there for the API server either.
  ['GET', '/api/v1/pods?watch=1;x', 'list', { resource: 'pods' }],
  ['GET', '/api/v1/pods?a=b;watch=1', 'list', { resource: 'pods' }],
  ['GET', '/api/v1/pods?watch=%zz', 'list', { resource: 'pods' }],
  ['GET', '/api/v1/pods??watch=1', 'list', { resource: 'pods' }],
  ['GET', '/api/v1/pods?&&watch=1', 'watch', { resource: 'pods' }],
  ['GET', '/api/v1/watch/namespaces/other/pods', 'watch', { namespace: 'other', resource: 'pods' }],
  ['GET', '/api/v1/watch/namespaces', 'watch', { resource: 'namespaces' }],
  ['GET', '/api/v1/watch/namespaces/other', 'watch', { namespace: 'other', resource: 'namespaces', name: 'other' }],
  ['GET', '/api/v1/watch/pods', 'watch', { resource: 'pods' }],
  ['GET', '/api/v1/watch/namespaces/other/pods/foo', 'watch', { namespace: 'other', resource: 'pods', name: 'foo' }],
  ['DELETE', '/api/v1/watch/pods', 'watch', { resource: 'pods' }],
  ['GET', '/api/v1/proxy/namespaces/other/pods/foo', 'proxy', { namespace: 'other', resource: 'pods', name: 'foo' }],
  ['GET', '/api/v1/proxy/nodes/n1/logs/x', 'proxy', { resource: 'nodes', name: 'n1' }],
  // A field selector that demands one name.
  ['GET', '/api/v1/pods?fieldSelector=metadata.name%3Dfoo', 'list', { resource: 'pods', name: 'foo' }],
  ['GET', '/api/v1/pods?fieldSelector=metadata.name==foo', 'list', { resource: 'pods', name: 'foo' }],
  [
    'GET',
    '/api/v1/pods?watch=1&fieldSelector=spec.nodeName%3Dn,metadata.name%3Dfoo',
    'watch',
    { resource: 'pods', name: 'foo' },
  ],
  ['GET', '/api/v1/pods?fieldSelector=metadata.name!%3Dfoo', 'list', { resource: 'pods' }],
  ['GET', '/api/v1/pods?fieldSelector=metadata.namespace%3Dfoo', 'list', { resource: 'pods' }],
  ['GET', '/api/v1/pods?fieldSelector=metadata.name%3D..', 'list', { resource: 'pods' }],
  ['GET', '/api/v1/pods?fieldSelector=metadata.name%3Da%2Fb', 'list', { resource: 'pods' }],
  ['GET', '/api/v1/pods?fieldSelector=metadata.name%3D', 'list', { resource: 'pods' }],
  ['DELETE', '/api/v1/pods?fieldSelector=metadata.name%3Dfoo', 'deletecollection', { resource: 'pods' }],
  // Groups.
  ['GET', '/apis/apps/v1/deployments', 'list', { apiGroup: 'apps', resource: 'deployments' }],
  [
    'PATCH',
    '/apis/apps/v1/namespaces/other/deployments/web/scale?fieldManager=kubectl',
    'patch',
    { apiGroup: 'apps', namespace: 'other', resource: 'deployments', name: 'web', subresource: 'scale' },
  ],
  [
    'POST',
    '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    'create',
    { apiGroup: 'authorization.k8s.io', resource: 'selfsubjectaccessreviews' },
  ],
  [
    'GET',
    '/apis/metrics.k8s.io/v1beta1/namespaces/other/pods',
    'list',
    { apiGroup: 'metrics.k8s.io', apiVersion: 'v1beta1', namespace: 'other', resource: 'pods' },
  ],
  [
    'GET',
    '/apis/apps/v1/watch/namespaces/other/deployments',
    'watch',
    { apiGroup: 'apps', namespace: 'other', resource: 'deployments' },
  ],
  // Escapes are read before anything is decided; what is no UTF-8 stays as it is.
  ['GET', '/api/v1/namespaces/other/p%6Fds/foo', 'get', { namespace: 'other', resource: 'pods', name: 'foo' }],
  ['GET', '/api/v1/%77atch/pods', 'watch', { resource: 'pods' }],
  ['GET', '/%61pi/v1/pods', 'list', { resource: 'pods' }],
  ['GET', '/api/v1/pods/%ff', 'get', { resource: 'pods', name: '%ff' }],
];

const NON_RESOURCES: readonly [string, string][] = [
  ['GET', '/'],
  ['GET', '/version'],
  ['GET', '/healthz'],
  ['GET', '/livez/etcd'],
  ['GET', '/metrics'],
  ['GET', '/openapi/v2'],
  ['GET', '/openapi/v3/apis/apps/v1'],
  ['GET', '/api'],
  ['GET', '/api/'],
  ['GET', '/api/v1'],
  ['GET', '/api/v1/'],
  ['GET', '/apis'],
  ['GET', '/apis/apps'],
  ['GET', '/apis/apps/v1'],
  ['GET', '/apis/apps/v1/'],
  ['POST', '/apis/apps/v1'],
  ['HEAD', '/version'],
  ['OPTIONS', '/'],
  ['GET', '/api/v1/watch'],
  ['GET', '/api/v1/proxy'],
  ['GET', '/apis/apps/v1/watch'],
  ['GET', '/foo/v1/pods/x'],
  ['GET', '/.well-known/openid-configuration'],
];

describe('tunnel/request-info', () => {
  for (const [method, path, verb, rest] of RESOURCES) {
    it(`reads ${method} ${path} as ${verb === '' ? 'no verb' : verb}`, () => {
      expect(requestInfo(method, path)).to.deep.equal({
        ...NOTHING,
        isResourceRequest: true,
        apiVersion: 'v1',
        ...rest,
        verb,
      });
    });
  }

  for (const [method, path] of NON_RESOURCES) {
    it(`reads ${method} ${path} as no resource`, () => {
      expect(requestInfo(method, path)).to.deep.equal({
        ...NOTHING,
        isResourceRequest: false,
        verb: method.toLowerCase(),
      });
    });
  }

  const LONG: readonly [string, string][] = [
    ['GET', '/api/v1/pods?watch=true'],
    ['GET', '/api/v1/watch/pods'],
    ['GET', '/apis/apps/v1/deployments?watch=1&timeoutSeconds=300'],
    ['GET', '/api/v1/namespaces/a/pods/p/log?follow=true'],
    ['GET', '/api/v1/namespaces/a/pods/p/log'],
    ['GET', '/api/v1/namespaces/a/pods/p/exec?command=ls'],
    ['POST', '/api/v1/namespaces/a/pods/p/exec?command=ls'],
    ['POST', '/api/v1/namespaces/a/pods/p/attach'],
    ['POST', '/api/v1/namespaces/a/pods/p/portforward'],
    ['GET', '/api/v1/namespaces/a/services/s/proxy/x'],
    ['GET', '/api/v1/nodes/n/proxy/metrics'],
    ['GET', '/api/v1/proxy/nodes/n'],
    ['GET', '/debug/pprof/profile?seconds=5'],
  ];
  for (const [method, path] of LONG) {
    it(`gives ${method} ${path} no deadline`, () => {
      expect(isLongRunning(requestInfo(method, path), path)).to.equal(true);
    });
  }

  const SHORT: readonly [string, string][] = [
    ['GET', '/api/v1/pods'],
    ['GET', '/api/v1/pods?watch=false'],
    ['GET', '/api/v1/pods/exec'],
    ['GET', '/api/v1/namespaces/log/pods'],
    ['GET', '/api/v1/namespaces/a/pods/watch'],
    ['GET', '/api/v1/namespaces/a/configmaps/proxy'],
    ['POST', '/api/v1/pods?watch=1'],
    ['GET', '/version?watch=1'],
    ['GET', '/debug/pprof'],
    ['GET', '/logs/x'],
    ['PATCH', '/apis/apps/v1/namespaces/a/deployments/d/scale'],
  ];
  for (const [method, path] of SHORT) {
    it(`gives ${method} ${path} a deadline`, () => {
      expect(isLongRunning(requestInfo(method, path), path)).to.equal(false);
    });
  }

  it('means nothing by methods that the API server does not know', () => {
    expect(verbOfMethod('OPTIONS')).to.equal('');
    expect(verbOfMethod('constructor')).to.equal('');
  });

  describe('against what the API server itself read (npm run request-info -- --record)', () => {
    const recorded = readFileSync(new URL('../golden/request-info.jsonl', import.meta.url), 'utf8')
      .trimEnd()
      .split('\n');

    it('has more than a thousand lines', () => {
      expect(recorded.length).to.be.greaterThan(1_000);
    });

    it('reads each alike', () => {
      for (const line of recorded) {
        const { method, path, error, ...theirs } = JSON.parse(line);
        const info = requestInfo(method, path);
        const read = { ...info, isLongRunning: isLongRunning(info, path) };
        // What it answers with 500 is handed on as no resource.
        if (error !== undefined) expect(info.isResourceRequest, `${method} ${path}`).to.equal(false);
        else expect(read, `${method} ${path}`).to.deep.equal(theirs);
      }
    });
  });

  it('property: reads any path without throwing', () => {
    const piece = fc.oneof(fc.string({ maxLength: 6 }), fc.constantFrom('namespaces', 'watch', 'proxy', '%ff', '..'));
    fc.assert(
      fc.property(fc.constantFrom('GET', 'DELETE', 'POST'), fc.array(piece), fc.string(), (method, pieces, query) => {
        const info = requestInfo(method, `/api/v1/${pieces.join('/')}?${query}`);
        expect(info.verb).to.be.a('string');
      }),
    );
  });
});
