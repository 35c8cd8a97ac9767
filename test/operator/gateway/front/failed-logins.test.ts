import { expect } from 'chai';
import { FailedLogins, networkOf } from '../../../../operator/gateway/front/failed-logins.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

describe('operator/gateway/front/failed-logins', () => {
  const fail = (logins: FailedLogins, address: string, times: number) => {
    for (let at = 0; at < times; at++) logins.failed(address);
  };

  it('lets an address fail ten seconds’ worth at once, then so many a second', () => {
    const clock = new ManualClock();
    const logins = new FailedLogins({ clock, perSecond: 20 });
    fail(logins, '192.0.2.1', 199);
    expect(logins.mayTry('192.0.2.1')).to.equal(true);
    fail(logins, '192.0.2.1', 1);
    expect(logins.mayTry('192.0.2.1')).to.equal(false);
    expect(logins.mayTry('192.0.2.2'), 'another address').to.equal(true);
    clock.advance(50);
    expect(logins.mayTry('192.0.2.1')).to.equal(true);
    fail(logins, '192.0.2.1', 1);
    expect(logins.mayTry('192.0.2.1')).to.equal(false);
    clock.advance(10_000);
    expect(logins.mayTry('192.0.2.1')).to.equal(true);
    expect(logins.size, 'forgiven').to.equal(0);
  });

  it('counts nothing when any number is allowed', () => {
    const logins = new FailedLogins({ clock: new ManualClock(), perSecond: 0 });
    fail(logins, '192.0.2.1', 10_000);
    expect([logins.mayTry('192.0.2.1'), logins.size]).to.deep.equal([true, 0]);
  });

  it('keeps 10,000 addresses; the one that failed longest ago goes first', () => {
    const logins = new FailedLogins({ clock: new ManualClock(), perSecond: 1 });
    fail(logins, 'first', 10);
    for (let at = 0; at < 9_999; at++) logins.failed(`address ${at}`);
    expect([logins.size, logins.mayTry('first')]).to.deep.equal([10_000, false]);
    logins.failed('one more');
    expect([logins.size, logins.mayTry('first')]).to.deep.equal([10_000, true]);
  });

  const NETWORKS: readonly [string, string][] = [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::6', '2001:db8:1:2::/64'],
    ['2001:db8::6', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['', ''],
  ];
  for (const [address, network] of NETWORKS) {
    it(`takes ${address} for ${network}`, () => expect(networkOf(address)).to.equal(network));
  }
});
