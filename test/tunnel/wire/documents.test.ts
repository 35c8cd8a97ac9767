import { expect } from 'chai';
import { ProtocolError } from '../../../tunnel/errors.ts';
import {
  decodeDocument,
  encodeDocument,
  goawayOf,
  type Hello,
  helloOf,
  type Welcome,
  welcomeOf,
} from '../../../tunnel/wire/documents.ts';

const HELLO: Hello = {
  versions: [1],
  features: ['x'],
  instanceId: 'instance',
  agentVersion: '0.1.0',
  slots: { ordinary: 2, longRunning: 3 },
};
const WELCOME: Welcome = { version: 1, features: [], sessionId: 's', replicaId: 'r', gatewayVersion: '0.1.0' };
const GOAWAY = { lastStreamId: 7, code: 9, reason: 'leaving' };

describe('tunnel/wire/documents', () => {
  it('reads back what was written and ignores members it does not know', () => {
    const sent = { ...HELLO, newer: { a: 1 } };
    expect(helloOf(decodeDocument(encodeDocument(sent)))).to.deep.equal(HELLO);
    expect(welcomeOf({ ...WELCOME, newer: true })).to.deep.equal(WELCOME);
    expect(goawayOf({ ...GOAWAY, newer: true })).to.deep.equal(GOAWAY);
  });

  it('reads which connection a HELLO is of, and what it says of the session before', () => {
    const said = { ...HELLO, connection: 1, previous: { sessionId: 's', lastStreamId: 0 } };
    expect(helloOf(decodeDocument(encodeDocument(said)))).to.deep.equal(said);
    const newer = { ...said, previous: { ...said.previous, newer: true } };
    expect(helloOf(newer)).to.deep.equal(said);
    expect(helloOf(decodeDocument(encodeDocument({ ...HELLO, previous: undefined })))).to.deep.equal(HELLO);
  });

  for (const payload of ['', 'null', '7', '"x"', '[]', '{', '\ufeff']) {
    it(`refuses ${JSON.stringify(payload)}, which is no JSON object`, () => {
      expect(() => decodeDocument(Buffer.from(payload))).to.throw(ProtocolError);
    });
  }

  it('gives members of Object no meaning', () => {
    expect(() =>
      goawayOf(decodeDocument(Buffer.from('{"__proto__": {"lastStreamId": 1, "code": 1, "reason": ""}}'))),
    ).to.throw(ProtocolError);
  });

  const wrong: readonly (readonly [sentence: string, read: () => unknown])[] = [
    ['versions that are no list', () => helloOf({ ...HELLO, versions: 1 })],
    ['a version that is no number', () => helloOf({ ...HELLO, versions: ['1'] })],
    ['features that are no texts', () => helloOf({ ...HELLO, features: [1] })],
    ['a missing instance', () => helloOf({ ...HELLO, instanceId: undefined })],
    ['an instance longer than 256 characters', () => helloOf({ ...HELLO, instanceId: 'x'.repeat(257) })],
    ['slots that are a list', () => helloOf({ ...HELLO, slots: [] })],
    ['slots below zero', () => helloOf({ ...HELLO, slots: { ordinary: -1, longRunning: 0 } })],
    ['slots that are no whole number', () => helloOf({ ...HELLO, slots: { ordinary: 1.5, longRunning: 0 } })],
    ['slots beyond 2^31', () => helloOf({ ...HELLO, slots: { ordinary: 2 ** 31 + 1, longRunning: 0 } })],
    ['a connection that is no number', () => helloOf({ ...HELLO, connection: 'first' })],
    ['a connection below zero', () => helloOf({ ...HELLO, connection: -1 })],
    ['a previous session that is null', () => helloOf({ ...HELLO, previous: null })],
    ['a previous session that is a text', () => helloOf({ ...HELLO, previous: 's' })],
    ['a previous session without a name', () => helloOf({ ...HELLO, previous: { lastStreamId: 1 } })],
    ['a previous session without its last stream', () => helloOf({ ...HELLO, previous: { sessionId: 's' } })],
    ['a last stream below zero', () => helloOf({ ...HELLO, previous: { sessionId: 's', lastStreamId: -1 } })],
    ['a WELCOME without a version', () => welcomeOf({ ...WELCOME, version: null })],
    ['a GOAWAY without its last stream', () => goawayOf({ ...GOAWAY, lastStreamId: 'all' })],
  ];
  for (const [sentence, read] of wrong) {
    it(`refuses ${sentence}`, () => {
      expect(read).to.throw(ProtocolError, /member \w+ is not/);
    });
  }
});
