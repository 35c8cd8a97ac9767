import { expect } from 'chai';
import { redirectedBelow, redirectTrouble } from '../../tunnel/redirect.ts';

const READ = { method: 'GET', path: '/a?b=c', isUpgrade: false };
const to = (...places: string[]) => ({
  status: 301,
  headers: ['Vary', 'Accept', ...places.flatMap((place) => ['LOCATION', place])],
});

describe('tunnel/redirect', () => {
  it('lets a reader be sent to the path he asked for, with another query or a slash', () => {
    expect(redirectTrouble(READ, to('/a?hash=1'))).to.equal(undefined);
    expect(redirectTrouble(READ, to('/a/?b=c'))).to.equal(undefined);
    expect(redirectTrouble({ ...READ, method: 'HEAD' }, to('/a'))).to.equal(undefined);
  });

  for (const place of [
    'https://evil/',
    '//evil/',
    '/\\evil/',
    '/a/../b',
    '/a%2fb',
    '/a//b',
    'b',
    '',
    '/a b',
    '/a#b',
    '/b',
    '/a/b',
    '/',
    '/a//',
  ]) {
    it(`lets nobody be sent to "${place}"`, () => {
      expect(redirectTrouble(READ, to(place))).to.include('301 with a Location');
    });
  }

  it('lets nobody be sent to two places, or elsewhere to write or upgrade', () => {
    expect(redirectTrouble(READ, to('/a', '/a'))).to.include('301');
    expect(redirectTrouble({ ...READ, method: 'POST' }, to('/a'))).to.include('301');
    expect(redirectTrouble({ ...READ, isUpgrade: true }, to('/a'))).to.include('301');
  });

  it('has nothing to say of other answers', () => {
    const headers = ['Location', 'https://elsewhere/'];
    expect(redirectTrouble(READ, { status: 201, headers })).to.equal(undefined);
    expect(redirectedBelow('/clusters/c1', { status: 201, headers })).to.equal(headers);
    expect(redirectTrouble(READ, { status: 304, headers: [] })).to.equal(undefined);
  });

  it('puts the place below a prefix, and nothing else', () => {
    expect(redirectedBelow('/clusters/c1', to('/a?b=1'))).to.deep.equal([
      'Vary',
      'Accept',
      'LOCATION',
      '/clusters/c1/a?b=1',
    ]);
  });
});
