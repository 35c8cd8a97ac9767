import { expect } from 'chai';
import { type Framing, framingTrouble } from '../../../../operator/gateway/front/framing.ts';

const GOOD: readonly Framing[] = [
  { headers: [] },
  { httpVersion: '1.0', headers: [] },
  { httpVersion: '1.1', headers: ['Host', ''] },
  { httpVersion: '1.1', headers: ['Host', 'gateway.example:8443', 'Transfer-Encoding', 'Chunked'] },
  { httpVersion: '1.1', headers: ['host', '[::1]:8443'] },
  { headers: [':authority', 'Gateway:443', 'host', 'gateway:443'] },
];

const BAD: readonly (readonly [Framing, RegExp])[] = [
  [{ httpVersion: '2.0', headers: ['Host', 'g'] }, /HTTP\/2\.0/],
  [{ httpVersion: '0.9', headers: [] }, /HTTP\/0\.9/],
  [{ httpVersion: '1.0', headers: ['Transfer-Encoding', 'chunked'] }, /HTTP\/1\.0/],
  [{ httpVersion: '1.1', headers: ['Transfer-Encoding', 'gzip, chunked'] }, /chunked/],
  [{ httpVersion: '1.1', headers: ['Transfer-Encoding', ', chunked'] }, /chunked/],
  [{ httpVersion: '1.1', headers: ['Most', 'gateway'] }, /no Host/],
  [{ httpVersion: '1.1', headers: ['Host', 'a b'] }, /Host/],
  [{ httpVersion: '1.1', headers: ['Host', 'a,b'] }, /Host/],
  [{ httpVersion: '1.1', headers: ['Host', 'http://a'] }, /Host/],
  [{ headers: [':authority', 'root@g'] }, /Host/],
  [{ headers: [':authority', 'g', 'host', 'other'] }, /same/],
];

describe('operator/gateway/front/framing', () => {
  for (const framing of GOOD) {
    it(`has nothing against ${JSON.stringify(framing)}`, () => expect(framingTrouble(framing)).to.equal(undefined));
  }
  for (const [framing, why] of BAD) {
    it(`refuses ${JSON.stringify(framing)}`, () => expect(framingTrouble(framing)).to.match(why));
  }
});
