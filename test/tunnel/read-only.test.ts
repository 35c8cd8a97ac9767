import { expect } from 'chai';
import fc from 'fast-check';
import { readOnlyTrouble } from '../../tunnel/read-only.ts';

const PODS = '/api/v1/namespaces/default/pods';

describe('tunnel/read-only', () => {
  const PASSING: readonly [string, string][] = [
    ['GET', `${PODS}/web`],
    ['HEAD', `${PODS}/web`],
    ['GET', PODS],
    ['GET', `${PODS}?watch=true`],
    ['GET', '/api/v1/watch/namespaces/default/pods'],
    ['GET', `${PODS}/web/log?follow=true`],
    ['GET', `${PODS}/web/status`],
    ['GET', '/apis/apps/v1/deployments'],
    ['GET', '/version'],
    ['GET', '/openapi/v3'],
    ['HEAD', '/healthz'],
    ['POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'],
    ['POST', '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews'],
    ['POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews'],
  ];
  for (const [method, path] of PASSING) {
    it(`lets ${method} ${path} pass`, () =>
      expect(readOnlyTrouble({ method, path, isUpgrade: false })).to.equal(undefined));
  }

  const REFUSED: readonly [string, string, string][] = [
    ['POST', PODS, 'create pods'],
    ['PUT', `${PODS}/web`, 'update pods'],
    ['PATCH', `${PODS}/web/status`, 'patch pods/status'],
    ['DELETE', `${PODS}/web`, 'delete pods'],
    ['DELETE', PODS, 'deletecollection pods'],
    ['POST', `${PODS}?dryRun=All`, 'create pods'],
    ['GET', `${PODS}/web/exec?command=sh`, 'get pods/exec'],
    ['GET', `${PODS}/web/attach`, 'get pods/attach'],
    ['GET', `${PODS}/web/portforward`, 'get pods/portforward'],
    ['GET', `${PODS}/web/proxy/`, 'get pods/proxy'],
    ['GET', '/api/v1/nodes/n1/proxy/run/default/web/c?cmd=id', 'get nodes/proxy'],
    ['GET', '/api/v1/proxy/nodes/n1/run', 'proxy nodes'],
    ['OPTIONS', PODS, 'no verb pods'],
    ['POST', '/api/v1/watch/namespaces/default/pods', 'watch pods'],
    ['POST', '/version', 'POST changes'],
    ['OPTIONS', '/version', 'OPTIONS changes'],
    ['POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', 'create subjectaccessreviews'],
    ['POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews/x/y', 'create selfsubjectaccessreviews/y'],
    ['POST', '/apis/example.com/v1/selfsubjectaccessreviews', 'create selfsubjectaccessreviews'],
    ['POST', '/api/v1/namespaces/a/serviceaccounts/b/token', 'create serviceaccounts/token'],
  ];
  for (const [method, path, words] of REFUSED) {
    it(`refuses ${method} ${path}`, () =>
      expect(readOnlyTrouble({ method, path, isUpgrade: false })).to.include(words));
  }

  it('refuses every upgrade, whatever its method and path', () => {
    for (const path of [`${PODS}/web/exec`, `${PODS}/web`, '/version', `${PODS}?watch=true`]) {
      expect(readOnlyTrouble({ method: 'GET', path, isUpgrade: true })).to.include('an upgrade is create');
    }
  });

  it('property: no method that writes passes, but for a question about oneself', () => {
    const segment = fc.constantFrom('api', 'v1', 'apis', 'watch', 'proxy', 'namespaces', 'pods', 'x', 'exec', '');
    const path = fc.array(segment, { maxLength: 8 }).map((all) => `/${all.join('/')}`);
    fc.assert(
      fc.property(fc.constantFrom('POST', 'PUT', 'PATCH', 'DELETE'), path, (method, at) => {
        expect(readOnlyTrouble({ method, path: at, isUpgrade: false })).to.be.a('string');
      }),
    );
  });
});
