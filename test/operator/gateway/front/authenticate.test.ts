import { expect } from 'chai';
import { Authenticator, hubUserOf } from '../../../../operator/gateway/front/authenticate.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

const ALICE = { authenticated: true, user: { username: 'alice', uid: 'u', groups: ['dev'], extra: { a: ['b'] } } };

describe('operator/gateway/front/authenticate', () => {
  describe('hubUserOf', () => {
    it('reads the user of a good answer', () => {
      expect(hubUserOf(ALICE)).to.deep.equal({ username: 'alice', uid: 'u', groups: ['dev'], extra: { a: ['b'] } });
    });

    it('reads what is missing as empty', () => {
      const user = { username: 'alice', uid: '', groups: [], extra: {} };
      expect(hubUserOf({ authenticated: true, error: '', user: { username: 'alice' } })).to.deep.equal(user);
      const odd = { username: 'alice', uid: 7, groups: 'dev', extra: 'x' };
      expect(hubUserOf({ authenticated: true, user: odd })).to.deep.equal(user);
      const mixed = { username: 'alice', groups: [1, 'dev', null], extra: { a: 'b', c: ['d', 1] } };
      expect(hubUserOf({ authenticated: true, user: mixed })).to.deep.include({
        groups: ['dev'],
        extra: { a: [], c: ['d'] },
      });
    });

    const NOBODY: readonly [string, unknown][] = [
      ['an empty answer', {}],
      ['no answer', undefined],
      ['null', null],
      ['a text', 'authenticated'],
      ['a list', [ALICE]],
      ['authenticated: false beside a user', { ...ALICE, authenticated: false }],
      ['authenticated that is no boolean', { ...ALICE, authenticated: 'true' }],
      ['authenticated: 1', { ...ALICE, authenticated: 1 }],
      ['an error beside a user', { ...ALICE, error: 'token expired' }],
      ['an error of the wrong type', { ...ALICE, error: {} }],
      ['no user', { authenticated: true }],
      ['a user that is null', { authenticated: true, user: null }],
      ['an empty name', { authenticated: true, user: { username: '' } }],
      ['a name that is no text', { authenticated: true, user: { username: ['alice'] } }],
    ];
    for (const [what, status] of NOBODY) {
      it(`knows nobody by ${what}`, () => {
        expect(hubUserOf(status)).to.equal(undefined);
      });
    }
  });

  describe('Authenticator', () => {
    const clock = new ManualClock();
    let asked: {
      token: string;
      answer: (status: unknown) => void;
      fail: (error: Error) => void;
      signal: AbortSignal;
    }[];
    let authenticator: Authenticator;
    beforeEach(() => {
      asked = [];
      authenticator = new Authenticator(
        (token, signal) => new Promise((answer, fail) => asked.push({ token, answer, fail, signal })),
        clock,
      );
    });
    afterEach(() => expect(clock.pending).to.equal(0));

    it('asks once for the same token, and once more for another', async () => {
      const answers = [
        authenticator.authenticate('a'),
        authenticator.authenticate('a'),
        authenticator.authenticate('b'),
      ];
      expect(asked.map(({ token }) => token)).to.deep.equal(['a', 'b']);
      asked[0]?.answer(ALICE);
      asked[1]?.answer({ authenticated: false });
      expect((await Promise.all(answers)).map((user) => user?.username)).to.deep.equal(['alice', 'alice', undefined]);
    });

    it('keeps an answer, also a no, for 10 s', async () => {
      const first = authenticator.authenticate('a');
      asked[0]?.answer({ authenticated: false });
      expect(await first).to.equal(undefined);
      clock.advance(9_999);
      expect(await authenticator.authenticate('a')).to.equal(undefined);
      expect(asked).to.have.length(1);
      clock.advance(1);
      const again = authenticator.authenticate('a');
      expect(asked).to.have.length(2);
      asked[1]?.answer(ALICE);
      expect((await again)?.username).to.equal('alice');
    });

    it('keeps no failure', async () => {
      const first = authenticator.authenticate('a').catch((error: Error) => error.message);
      asked[0]?.fail(new Error('HTTP 500'));
      expect(await first).to.equal('HTTP 500');
      const second = authenticator.authenticate('a');
      asked[1]?.answer(ALICE);
      expect((await second)?.username).to.equal('alice');
    });

    it('gives up on a hub that does not answer within 5 s', async () => {
      const answer = authenticator.authenticate('a').catch((error: Error) => error.message);
      clock.advance(5_000);
      expect(await answer).to.equal('no answer within 5000 ms');
      expect(asked[0]?.signal.aborted).to.equal(true);
    });
  });
});
