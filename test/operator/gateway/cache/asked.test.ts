import { expect } from 'chai';
import { isAskable } from '../../../../operator/gateway/cache/asked.ts';

const GET = { method: 'GET', plainPath: '/version', headers: [], hasBody: false, isUpgrade: false };

describe('operator/gateway/cache/asked', () => {
  const described = [
    '/version',
    '/api',
    '/apis',
    '/api/v1',
    '/apis/apps',
    '/apis/apps/v1',
    '/openapi/v2',
    '/openapi/v3',
  ];
  for (const plainPath of [...described, '/openapi/v3/apis/apps/v1']) {
    it(`may answer ${plainPath} from memory`, () => {
      expect(isAskable({ ...GET, plainPath })).to.equal(true);
    });
  }

  const others = ['/', '/apis/', '/api/v1/pods', '/apis/apps/v1/deployments', '/versions', '/healthz', '/openapi/v2/x'];
  for (const plainPath of [...others, '/metrics', '/openapi', '/x/version']) {
    it(`never answers ${plainPath} from memory`, () => {
      expect(isAskable({ ...GET, plainPath })).to.equal(false);
    });
  }

  it('answers GET only, without a body and without an upgrade', () => {
    for (const method of ['HEAD', 'POST', 'OPTIONS', 'DELETE']) expect(isAskable({ ...GET, method })).to.equal(false);
    expect(isAskable({ ...GET, hasBody: true })).to.equal(false);
    expect(isAskable({ ...GET, isUpgrade: true })).to.equal(false);
  });

  it('leaves to the target what hangs on more than the key, and what the client wants anew', () => {
    const apart: [string, string][] = [
      ['Range', 'bytes=0-1'],
      ['If-Modified-Since', 'Sun, 22 Nov 2026 12:00:00 GMT'],
      ['If-Match', '"e"'],
      ['Origin', 'https://gateway.example'],
      ['Cache-Control', 'no-cache'],
      ['cache-control', 'private, No-Store'],
      ['Cache-Control', 'max-age=0'],
      ['Pragma', 'no-cache'],
    ];
    for (const headers of apart) expect(isAskable({ ...GET, headers }), headers[0]).to.equal(false);
    const headers = ['Cache-Control', 'max-age=60', 'If-None-Match', '"e"', 'Accept', '*/*'];
    expect(isAskable({ ...GET, headers })).to.equal(true);
    expect(isAskable({ ...GET, headers: [...headers, 'Cache-Control', 'no-cache'] })).to.equal(false);
  });
});
