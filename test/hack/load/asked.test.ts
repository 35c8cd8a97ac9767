import { expect } from 'chai';
import { type Asked, askedOf, bodyOffset, queryOf } from '../../../hack/load/asked.ts';

const ASKED: Asked = {
  id: 'h2-usual-3-17',
  attempt: 2,
  tunnel: 'usual',
  user: 'h2-usual-3',
  holdMs: 40,
  requestBytes: 5_000,
  answerBytes: 70_000,
  isUnsized: true,
  dripMs: 7,
  isWatch: true,
};

describe('hack/load/asked', () => {
  it('goes through a query and back', () => {
    expect(askedOf(`/api/v1/pods?${queryOf(ASKED)}`)).to.deep.equal(ASKED);
    expect(askedOf(`/api/v1/pods?${queryOf({ ...ASKED, isUnsized: false, isWatch: false })}`)).to.deep.equal({
      ...ASKED,
      isUnsized: false,
      isWatch: false,
    });
    expect(askedOf('/version')).to.equal(undefined);
  });

  it('gives every request, repeat and direction bytes of its own, at the beginning of a block', () => {
    const offsets = [
      bodyOffset(ASKED, 'request'),
      bodyOffset(ASKED, 'answer'),
      bodyOffset({ ...ASKED, attempt: 3 }, 'answer'),
      bodyOffset({ ...ASKED, id: 'h2-usual-3-18' }, 'answer'),
    ];
    expect(new Set(offsets)).to.have.property('size', offsets.length);
    expect(offsets.every((offset) => offset % 4096 === 0)).to.equal(true);
  });
});
