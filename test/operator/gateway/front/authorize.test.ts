import { expect } from 'chai';
import {
  type AccessSpec,
  Authorizer,
  accessSpec,
  throughTunnel,
} from '../../../../operator/gateway/front/authorize.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

const ALICE = { username: 'alice', uid: 'u', groups: ['dev'], extra: { a: ['b'] } };

describe('operator/gateway/front/authorize', () => {
  it('asks about clustertunnels/proxy of one tunnel, with everything known of the user', () => {
    expect(accessSpec(ALICE, throughTunnel('c1', 'list'))).to.deep.equal({
      user: 'alice',
      uid: 'u',
      groups: ['dev'],
      extra: { a: ['b'] },
      resourceAttributes: {
        group: 'clustertunnel.io',
        resource: 'clustertunnels',
        subresource: 'proxy',
        name: 'c1',
        verb: 'list',
      },
    });
  });

  const ANSWERS: readonly [unknown, boolean][] = [
    [{ allowed: true }, true],
    [{ allowed: true, denied: false, evaluationError: 'one authorizer failed' }, true],
    [{ allowed: true, denied: true }, false],
    [{ allowed: false }, false],
    [{ allowed: 'true' }, false],
    [{ allowed: 1 }, false],
    [{}, false],
    [undefined, false],
    [null, false],
    ['allowed', false],
  ];
  for (const [status, isAllowed] of ANSWERS) {
    it(`reads ${JSON.stringify(status)} as ${isAllowed ? 'yes' : 'no'}`, async () => {
      const authorizer = new Authorizer(async () => status, new ManualClock());
      expect(await authorizer.isAllowed(ALICE, throughTunnel('c1', 'get'))).to.equal(isAllowed);
    });
  }

  it('keeps an answer for 10 s, for this user, tunnel and verb only', async () => {
    const clock = new ManualClock();
    const asked: AccessSpec[] = [];
    const review = async (spec: AccessSpec) => {
      asked.push(spec);
      return { allowed: true };
    };
    const authorizer = new Authorizer(review, clock);
    const others = [
      { ...ALICE, username: 'bob' },
      { ...ALICE, uid: 'v' },
      { ...ALICE, groups: [] },
      { ...ALICE, extra: {} },
    ];
    for (let at = 0; at < 2; at++) {
      await Promise.all([
        authorizer.isAllowed(ALICE, throughTunnel('c1', 'get')),
        authorizer.isAllowed(ALICE, throughTunnel('c2', 'get')),
        authorizer.isAllowed(ALICE, throughTunnel('c1', 'create')),
        ...others.map((other) => authorizer.isAllowed(other, throughTunnel('c1', 'get'))),
      ]);
    }
    expect(asked).to.have.length(7);
    clock.advance(10_000);
    await authorizer.isAllowed(ALICE, throughTunnel('c1', 'get'));
    expect(asked).to.have.length(8);
    expect(clock.pending).to.equal(0);
  });

  it('rejects when the hub cannot say, fails or is too slow, and keeps none of it', async () => {
    const clock = new ManualClock();
    let answer: () => Promise<unknown> = () => Promise.reject(new Error('HTTP 500'));
    const authorizer = new Authorizer(() => answer(), clock);
    const told = () => authorizer.isAllowed(ALICE, throughTunnel('c1', 'get')).catch((error: Error) => error.message);
    expect(await told()).to.equal('HTTP 500');
    answer = () => new Promise(() => {});
    const slow = told();
    clock.advance(5_000);
    expect(await slow).to.equal('no answer within 5000 ms');
    answer = async () => ({ allowed: true });
    expect(await told()).to.equal(true);
  });
});
