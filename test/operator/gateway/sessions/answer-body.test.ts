import { expect } from 'chai';
import { answerBody, answerHeaders, answerTrailers } from '../../../../operator/gateway/sessions/answer-body.ts';

describe('operator/gateway/sessions/answer-body', () => {
  it('expects exactly the bytes of Content-Length', () => {
    expect(answerBody('GET', 200, ['Content-Length', '5'])).to.deep.equal({
      isSent: true,
      leastBytes: 5,
      mostBytes: 5,
    });
    expect(answerBody('GET', 200, ['content-length', '0'])).to.deep.equal({
      isSent: true,
      leastBytes: 0,
      mostBytes: 0,
    });
  });

  it('expects any number of bytes without it', () => {
    expect(answerBody('GET', 200, [])).to.deep.equal({
      isSent: true,
      leastBytes: 0,
      mostBytes: Number.POSITIVE_INFINITY,
    });
  });

  for (const [method, status] of [
    ['HEAD', 200],
    ['GET', 204],
    ['GET', 304],
    ['HEAD', 404],
  ] as const) {
    it(`sends no body for ${method} ${status}, whatever Content-Length says`, () => {
      expect(answerBody(method, status, ['Content-Length', '5'])).to.deep.equal({
        isSent: false,
        leastBytes: 0,
        mostBytes: 0,
      });
    });
  }

  it('cannot send a 205 that announces a body', () => {
    expect(answerBody('GET', 205, ['Content-Length', '5'])).to.deep.equal({
      isSent: false,
      leastBytes: 5,
      mostBytes: 0,
    });
    expect(answerBody('GET', 205, [])).to.deep.equal({ isSent: false, leastBytes: 0, mostBytes: 0 });
  });

  it('lets no target speak for the origin of the gateway, in trailers neither', () => {
    const theirs = ['Set-Cookie', 'a', 'ACCESS-CONTROL-ALLOW-ORIGIN', '*', 'Nel', '{}', 'X-Sum', '1', 'Cookie', 'b'];
    expect(answerTrailers(theirs)).to.deep.equal(['X-Sum', '1']);
    expect(answerHeaders(101, theirs)).to.deep.equal(['X-Sum', '1']);
  });

  it('lets headers pass but what may not cross, a trace id of theirs, and Content-Length beside 101 and 204', () => {
    const headers = ['Audit-Id', '1', 'X-Trace-ID', 'x', 'Content-Length', '0', 'Connection', 'X-A', 'X-A', '1'];
    const own = ['x-content-type-options', 'nosniff'];
    expect(answerHeaders(200, headers)).to.deep.equal(['Audit-Id', '1', 'Content-Length', '0', ...own]);
    expect(answerHeaders(204, headers)).to.deep.equal(['Audit-Id', '1', ...own]);
    expect(answerHeaders(101, headers)).to.deep.equal(['Audit-Id', '1']);
  });
});
