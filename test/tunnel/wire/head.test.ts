import { expect } from 'chai';
import { ProtocolError } from '../../../tunnel/errors.ts';
import {
  decodeRequestHead,
  decodeResponseHead,
  decodeTrailers,
  encodeRequestHead,
  encodeResponseHead,
  encodeTrailers,
  type RequestHead,
} from '../../../tunnel/wire/head.ts';

const HEAD: RequestHead = {
  method: 'PATCH',
  path: '/api/v1/pods?watch=1&x=%2F%00\xff',
  headers: ['Accept', 'a', 'accept', 'b', 'X-Empty', ''],
  identity: { user: 'jürgen', uid: '', groups: ['a', ''] },
  traceId: 'trace',
  deadlineMs: 30_000,
  isLongRunning: false,
  isUpgrade: false,
};

describe('tunnel/wire/head', () => {
  it('carries path and header bytes as they came: case, order, repetitions', () => {
    expect(decodeRequestHead(encodeRequestHead(HEAD), 0)).to.deep.equal(HEAD);
  });

  it('takes what a request is from the flags of OPEN', () => {
    expect(decodeRequestHead(encodeRequestHead(HEAD), 6)).to.deep.equal({
      ...HEAD,
      isLongRunning: true,
      isUpgrade: true,
    });
  });

  it('tells no identity from an empty one', () => {
    expect(decodeRequestHead(encodeRequestHead({ ...HEAD, identity: undefined }), 0).identity).to.equal(undefined);
    const empty = { user: '', uid: '', groups: [] };
    expect(decodeRequestHead(encodeRequestHead({ ...HEAD, identity: empty }), 0).identity).to.deep.equal(empty);
  });

  it('carries extras, each key once and with its values in order, and nothing where there are none', () => {
    const extras = [
      { key: 'example.com/scopes', values: ['b', 'a', 'a', ''] },
      { key: '1', values: ['\u00fc'] },
      { key: '__proto__', values: ['x'] },
    ];
    const identity = { user: 'jane', uid: '7', groups: ['dev'], extras };
    expect(decodeRequestHead(encodeRequestHead({ ...HEAD, identity }), 0)).to.deep.equal({ ...HEAD, identity });
    const decoded = decodeRequestHead(encodeRequestHead(HEAD), 0);
    expect(decoded.identity).to.not.have.property('extras');
  });

  for (const [what, extras] of Object.entries({
    'no extra': [],
    'an extra without values': [{ key: 'a', values: [] }],
    'an extra said twice': [
      { key: 'a', values: ['1'] },
      { key: 'a', values: ['2'] },
    ],
  })) {
    it(`does not send extras that are ${what}`, () => {
      const identity = { user: 'jane', uid: '', groups: [], extras };
      expect(() => encodeRequestHead({ ...HEAD, identity })).to.throw(RangeError, 'extra');
    });
  }

  it('carries response heads and trailers', () => {
    const head = { status: 103, headers: ['Link', '</x>'] };
    expect(decodeResponseHead(encodeResponseHead(head), 0)).to.deep.equal(head);
    expect(decodeResponseHead(encodeResponseHead(head), 8), 'with DEFLATED').to.deep.equal({
      ...head,
      isDeflated: true,
    });
    expect(decodeTrailers(encodeTrailers(['Grpc-Status', '0']))).to.deep.equal(['Grpc-Status', '0']);
  });

  it('carries 200 header lines and not one more', () => {
    const lines = (count: number) => Array(count * 2).fill('x');
    expect(decodeTrailers(encodeTrailers(lines(200)))).to.have.length(400);
    expect(() => encodeTrailers(lines(201))).to.throw(RangeError);
  });

  for (let cut = 1; cut <= 12; cut++) {
    it(`refuses a head that lost its last ${cut} bytes`, () => {
      const bytes = encodeRequestHead(HEAD);
      expect(() => decodeRequestHead(bytes.subarray(0, bytes.length - cut), 0)).to.throw(ProtocolError);
    });
  }

  it('does not believe a count of groups that cannot be', () => {
    const bytes = Buffer.from(encodeRequestHead({ ...HEAD, identity: { user: '', uid: '', groups: [] }, headers: [] }));
    bytes.writeUInt16BE(65_535, bytes.length - 4);
    expect(() => decodeRequestHead(bytes, 0)).to.throw(ProtocolError, 'ends early');
  });
});
