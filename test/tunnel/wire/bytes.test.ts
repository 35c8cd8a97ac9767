import { expect } from 'chai';
import { ProtocolError } from '../../../tunnel/errors.ts';
import { ByteReader, ByteWriter } from '../../../tunnel/wire/bytes.ts';

describe('tunnel/wire/bytes', () => {
  it('reads back what was written, across growth of the buffer', () => {
    const bytes = new ByteWriter(1).u8(1).u16(2).u32(3).shortLatin1('é').latin1('ÿ').utf8('ž').bytes();
    const reader = new ByteReader(bytes);
    expect([reader.u8(), reader.u16(), reader.u32()]).to.deep.equal([1, 2, 3]);
    expect([reader.latin1(reader.u8()), reader.latin1(reader.u16()), reader.utf8(reader.u16())]).to.deep.equal([
      'é',
      'ÿ',
      'ž',
    ]);
    reader.end();
  });

  it('refuses to read past the end, and says both numbers', () => {
    const reader = new ByteReader(Buffer.from('abc'));
    reader.u8();
    expect(() => reader.u32()).to.throw(ProtocolError, 'field of 4 bytes, 2 left');
    expect(reader.remaining, 'nothing was taken').to.equal(2);
  });

  it('refuses bytes left over', () => {
    expect(() => new ByteReader(Buffer.from('abc')).end()).to.throw(ProtocolError, '3 bytes left');
  });

  it('reads a slice of a larger buffer without the bytes around it', () => {
    const whole = Buffer.from('xxabcxx');
    const reader = new ByteReader(whole.subarray(2, 5));
    expect(reader.latin1(3)).to.equal('abc');
    expect(() => reader.u8()).to.throw(ProtocolError);
  });

  it('refuses text that is not UTF-8 with the cause', () => {
    expect(() => new ByteReader(Buffer.from([0xc3, 0x28])).utf8(2))
      .to.throw(ProtocolError, 'not UTF-8')
      .with.property('cause');
  });

  for (const text of ['\u0100', 'a\u010d\u010ab', '\ud83d\ude00']) {
    it(`never writes a character beyond latin1 as another one: ${JSON.stringify(text)}`, () => {
      expect(() => new ByteWriter().latin1(text)).to.throw(RangeError);
      expect(() => new ByteWriter().shortLatin1(text)).to.throw(RangeError);
    });
  }

  it('never writes half a surrogate pair as the replacement character', () => {
    expect(() => new ByteWriter().utf8('a\ud800')).to.throw(RangeError);
  });

  it('throws a RangeError for a number or a text that its field cannot hold', () => {
    expect(() => new ByteWriter().u8(256)).to.throw(RangeError);
    expect(() => new ByteWriter().u16(-1)).to.throw(RangeError);
    expect(() => new ByteWriter().u32(2 ** 32)).to.throw(RangeError);
    expect(() => new ByteWriter().u16(1.5), 'never rounded in silence').to.throw(RangeError);
    expect(() => new ByteWriter().latin1('x'.repeat(65_536))).to.throw(RangeError);
    expect(() => new ByteWriter().shortLatin1('x'.repeat(256))).to.throw(RangeError);
  });
});
