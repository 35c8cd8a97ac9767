import { expect } from 'chai';
import { statusTrouble } from '../../../hack/load/status-trouble.ts';

const STATUS = { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'Timeout', message: 'no', code: 504 };

function troubleOf(changes: object, answer: Partial<Parameters<typeof statusTrouble>[0]> = {}): string | undefined {
  const text = JSON.stringify({ ...STATUS, ...changes });
  return statusTrouble({ status: 504, contentType: 'application/json', retryAfter: undefined, text, ...answer });
}

describe('hack/load/status-trouble', () => {
  it('finds none in a Status as the API server writes it', () => {
    expect(troubleOf({})).to.equal(undefined);
    expect(troubleOf({ details: { retryAfterSeconds: 2 } }, { retryAfter: '2' })).to.equal(undefined);
  });

  it('names what clients would stumble over', () => {
    expect(troubleOf({ code: 503 })).to.equal('its code is 503');
    expect(troubleOf({ kind: 'Pod' })).to.include('no v1 Status');
    expect(troubleOf({ reason: '' })).to.include('no reason');
    expect(troubleOf({}, { contentType: 'text/plain' })).to.include('text/plain');
    expect(troubleOf({}, { text: '<html>' })).to.include('no JSON');
    expect(troubleOf({}, { status: 204 })).to.include('no error');
  });

  it('wants the header and the body to tell the same time, in whole seconds', () => {
    expect(troubleOf({}, { retryAfter: 'Fri, 31 Dec 1999 23:59:59 GMT' })).to.include('Retry-After is Fri');
    expect(troubleOf({}, { retryAfter: '1' })).to.equal('Retry-After is 1, retryAfterSeconds undefined');
    expect(troubleOf({ details: { retryAfterSeconds: 1 } })).to.equal('Retry-After is undefined, retryAfterSeconds 1');
  });
});
