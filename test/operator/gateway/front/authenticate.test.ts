import { expect } from 'chai';
import { Authenticator, hubUserOf, type ReviewToken } from '../../../../operator/gateway/front/authenticate.ts';
import { FailedLogins } from '../../../../operator/gateway/front/failed-logins.ts';
import type { TunnelError } from '../../../../operator/gateway/front/tunnel-error.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

const ALICE = { authenticated: true, user: { username: 'alice', uid: 'u', groups: ['dev'], extra: { a: ['b'] } } };

describe('operator/gateway/front/authenticate', () => {
  describe('hubUserOf', () => {
    it('reads the user of a good answer', () => {
      expect(hubUserOf(ALICE, [])).to.deep.equal({ username: 'alice', uid: 'u', groups: ['dev'], extra: { a: ['b'] } });
    });

    it('reads what is missing as empty', () => {
      const user = { username: 'alice', uid: '', groups: [], extra: {} };
      expect(hubUserOf({ authenticated: true, error: '', user: { username: 'alice' } }, [])).to.deep.equal(user);
      const odd = { username: 'alice', uid: 7, groups: 'dev', extra: 'x' };
      expect(hubUserOf({ authenticated: true, user: odd }, [])).to.deep.equal(user);
      const mixed = { username: 'alice', groups: [1, 'dev', null], extra: { a: 'b', c: ['d', 1] } };
      expect(hubUserOf({ authenticated: true, user: mixed }, [])).to.deep.include({
        groups: ['dev'],
        extra: { a: [], c: ['d'] },
      });
    });

    const AUDIENCES: readonly [unknown, boolean][] = [
      [['gateway'], true],
      [['other', 'gateway'], true],
      [['other'], false],
      [[], false],
      [undefined, false],
      ['gateway', false],
      [[['gateway']], false],
    ];
    for (const [audiences, isKnown] of AUDIENCES) {
      it(`asked for audiences: ${isKnown ? 'knows' : 'knows nobody'} by ${JSON.stringify(audiences)}`, () => {
        const user = hubUserOf({ ...ALICE, audiences }, ['gateway', 'second']);
        expect(user?.username).to.equal(isKnown ? 'alice' : undefined);
        expect(hubUserOf({ ...ALICE, audiences }, [])?.username, 'not asked for').to.equal('alice');
      });
    }

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
        expect(hubUserOf(status, [])).to.equal(undefined);
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
      const failedLogins = new FailedLogins({ clock, perSecond: 1 });
      const review: ReviewToken = (token, _, signal) =>
        new Promise((answer, fail) => asked.push({ token, answer, fail, signal }));
      authenticator = new Authenticator({ review, audiences: [], failedLogins, clock });
    });
    afterEach(() => expect(clock.pending).to.equal(0));

    it('asks once for the same token, and once more for another', async () => {
      const answers = [
        authenticator.authenticate('a', '192.0.2.1'),
        authenticator.authenticate('a', '192.0.2.1'),
        authenticator.authenticate('b', '192.0.2.1'),
      ];
      expect(asked.map(({ token }) => token)).to.deep.equal(['a', 'b']);
      asked[0]?.answer(ALICE);
      asked[1]?.answer({ authenticated: false });
      expect((await Promise.all(answers)).map((user) => user?.username)).to.deep.equal(['alice', 'alice', undefined]);
    });

    for (const [what, status, keptMs] of [
      ['a user for 10 s', ALICE, 10_000],
      ['a no for 3 s', { authenticated: false }, 3_000],
    ] as const) {
      it(`keeps ${what}`, async () => {
        const first = authenticator.authenticate('a', '192.0.2.1');
        asked[0]?.answer(status);
        const name = (await first)?.username;
        clock.advance(keptMs - 1);
        expect((await authenticator.authenticate('a', '192.0.2.1'))?.username).to.equal(name);
        expect(asked).to.have.length(1);
        clock.advance(1);
        const again = authenticator.authenticate('a', '192.0.2.1');
        expect(asked).to.have.length(2);
        asked[1]?.answer(ALICE);
        expect((await again)?.username).to.equal('alice');
      });
    }

    it('refuses an address that guesses, and serves its known users and other addresses', async () => {
      const known = authenticator.authenticate('a', '192.0.2.1');
      asked[0]?.answer(ALICE);
      await known;
      for (let at = 1; at <= 10; at++) {
        const guess = authenticator.authenticate(`guess ${at}`, '192.0.2.1');
        asked[at]?.answer({ authenticated: false });
        expect(await guess).to.equal(undefined);
      }
      const told = await authenticator.authenticate('b', '192.0.2.1').catch((error: TunnelError) => error.kind);
      expect(told).to.equal('rate_limited');
      expect(await authenticator.authenticate('guess 10', '192.0.2.1'), 'still known to be nobody’s').to.equal(
        undefined,
      );
      expect((await authenticator.authenticate('a', '192.0.2.1'))?.username).to.equal('alice');
      expect(asked).to.have.length(11);
      const elsewhere = authenticator.authenticate('b', '192.0.2.2');
      asked[11]?.answer(ALICE);
      expect((await elsewhere)?.username).to.equal('alice');
    });

    it('does not forget who is known over tokens that are nobody’s', async () => {
      const known = authenticator.authenticate('a', '192.0.2.1');
      asked[0]?.answer(ALICE);
      await known;
      for (let at = 1; at <= 10_001; at++) {
        const guess = authenticator.authenticate(`guess ${at}`, `address ${at}`);
        asked[at]?.answer({ authenticated: false });
        await guess;
      }
      const before = asked.length;
      expect((await authenticator.authenticate('a', '192.0.2.1'))?.username).to.equal('alice');
      expect(asked).to.have.length(before);
    });

    it('keeps no failure', async () => {
      const first = authenticator.authenticate('a', '192.0.2.1').catch((error: Error) => error.message);
      asked[0]?.fail(new Error('HTTP 500'));
      expect(await first).to.equal('HTTP 500');
      const second = authenticator.authenticate('a', '192.0.2.1');
      asked[1]?.answer(ALICE);
      expect((await second)?.username).to.equal('alice');
    });

    it('gives up on a hub that does not answer within 5 s', async () => {
      const answer = authenticator.authenticate('a', '192.0.2.1').catch((error: Error) => error.message);
      clock.advance(5_000);
      expect(await answer).to.equal('no answer within 5000 ms');
      expect(asked[0]?.signal.aborted).to.equal(true);
    });
  });
});
