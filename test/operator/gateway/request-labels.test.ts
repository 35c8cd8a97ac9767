import { expect } from 'chai';
import { MAX_PATTERNS, RequestPatterns } from '../../../operator/gateway/request-labels.ts';
import { requestInfo } from '../../../tunnel/request-info.ts';

describe('operator/gateway/request-labels', () => {
  const labels = (of: RequestPatterns, method: string, path: string, status = 200) =>
    Object.values(of.labelsOf({ info: requestInfo(method, path), path: path.split('?', 1)[0] ?? '', status })).join(
      ' ',
    );

  for (const [method, path, expected] of [
    ['GET', '/api/v1/namespaces/a/pods', 'list pods'],
    ['GET', '/api/v1/namespaces/b/pods/web?x=1', 'get pods'],
    ['GET', '/api/v1/pods?watch=1', 'watch pods'],
    ['GET', '/api/v1/namespaces/a/pods/web/log', 'get pods/log'],
    ['PATCH', '/apis/apps/v1/namespaces/a/deployments/web/scale', 'patch apps/deployments/scale'],
    ['DELETE', '/apis/batch/v1/namespaces/a/jobs', 'deletecollection batch/jobs'],
    ['POST', '/apis/clustertunnel.io/v1alpha1/clustertunnels', 'create clustertunnel.io/clustertunnels'],
    ['GET', '/version', 'get /version'],
    ['GET', '/apis/apps/v1', 'get /apis'],
    ['GET', '/openapi/v3/apis/apps/v1', 'get /openapi'],
    ['GET', '/', 'get other'],
    ['GET', '/wp-login.php', 'get other'],
    ['OPTIONS', '/api', 'options /api'],
  ] as const) {
    it(`calls ${method} ${path} ${expected}`, () => {
      expect(labels(new RequestPatterns(), method, path)).to.equal(expected);
    });
  }

  it('learns a resource from a good answer only, and knows it from then on', () => {
    const patterns = new RequestPatterns();
    for (const status of [0, 403, 404, 500]) {
      expect(labels(patterns, 'GET', '/api/v1/nonsense', status)).to.equal('list other');
    }
    expect(labels(patterns, 'GET', '/api/v1/nonsense', 200)).to.equal('list nonsense');
    expect(labels(patterns, 'POST', '/api/v1/nonsense', 404)).to.equal('create nonsense');
  });

  it('learns an exec from its 101', () => {
    const exec = '/api/v1/namespaces/a/pods/web/exec';
    expect(labels(new RequestPatterns(), 'POST', exec, 101)).to.equal('create pods/exec');
  });

  it('takes no name that no API server has', () => {
    const patterns = new RequestPatterns();
    for (const name of ['a%20b', 'UPPER', '%22', 'x'.repeat(64), '%00', 'a_b'])
      expect(labels(patterns, 'GET', `/api/v1/${name}`)).to.equal('list other');
  });

  it(`tells ${MAX_PATTERNS} apart, and says other of the rest, whatever a target answers`, () => {
    const patterns = new RequestPatterns();
    const seen = new Set<string>();
    for (let at = 0; at < MAX_PATTERNS + 50; at++) seen.add(labels(patterns, 'GET', `/api/v1/r${at}`));
    expect(seen.size).to.equal(MAX_PATTERNS + 1);
    expect(labels(patterns, 'GET', '/api/v1/r0')).to.equal('list r0');
    expect(labels(patterns, 'GET', '/api/v1/later')).to.equal('list other');
  });

  it('gives the same object for the same labels', () => {
    const patterns = new RequestPatterns();
    const ended = { info: requestInfo('GET', '/api/v1/pods'), path: '/api/v1/pods', status: 200 };
    expect(patterns.labelsOf(ended)).to.equal(patterns.labelsOf({ ...ended, status: 404 }));
  });
});
