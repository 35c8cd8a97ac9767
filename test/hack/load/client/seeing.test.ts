import { expect } from 'chai';
import { Seeing } from '../../../../hack/load/client/seeing.ts';
import { pattern } from '../../../../hack/load/pattern.ts';

const FROM = 8_192;

describe('hack/load/client/seeing', () => {
  it('compares an answer of the upstream with the pattern from its offset on', () => {
    const seeing = new Seeing(FROM);
    seeing.head(200, { 'content-type': 'a/b', 'x-load-answers': 'id 1' });
    seeing.data(pattern(FROM, 100));
    expect(seeing.as('whole')).to.deep.equal({
      end: 'whole',
      status: 200,
      contentType: 'a/b',
      retryAfter: undefined,
      answers: 'id 1',
      text: '',
      receivedBytes: 100,
      isIntact: true,
    });
    seeing.data(pattern(FROM, 100));
    expect(seeing.as('cut')).to.include({ receivedBytes: 200, isIntact: false });
  });

  it('keeps the text of any other answer', () => {
    const seeing = new Seeing(FROM);
    seeing.head(503, { 'content-type': 'application/json', 'retry-after': '1' });
    seeing.data(Buffer.from('{}'));
    expect(seeing.as('whole')).to.include({ text: '{}', retryAfter: '1', answers: undefined, receivedBytes: 0 });
  });

  it('takes bytes that are told of before their head', () => {
    const seeing = new Seeing(FROM);
    seeing.data(pattern(FROM, 100));
    seeing.head(200, { 'x-load-answers': 'id 1' });
    seeing.data(pattern(FROM + 100, 50));
    expect(seeing.as('whole')).to.include({ receivedBytes: 150, isIntact: true, text: '' });
  });
});
