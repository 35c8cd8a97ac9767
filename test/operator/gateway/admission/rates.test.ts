import { expect } from 'chai';
import { Rates } from '../../../../operator/gateway/admission/rates.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

const RATE = { requestsPerSecond: 2, burst: 2 };
const MANY = { requestsPerSecond: 1_000, burst: 1_000 };

describe('operator/gateway/admission/rates', () => {
  let clock: ManualClock;
  beforeEach(() => {
    clock = new ManualClock();
  });

  const asking = (rates: Rates) => (user: string, tunnel: string, rate: typeof RATE | undefined) =>
    rates.refusal({ user, tunnel, path: '/api', rate });

  it('lets any number through where nobody set a rate, and keeps nothing of them', () => {
    const rates = new Rates({ clock, perUser: undefined });
    const ask = asking(rates);
    for (let at = 0; at < 5_000; at++) expect(ask(`user-${at}`, `tunnel-${at}`, undefined)).to.equal(undefined);
    expect(rates.size).to.equal(0);
  });

  it('bounds each tunnel by its own rate, whoever asks', () => {
    const ask = asking(new Rates({ clock, perUser: undefined }));
    expect([ask('jane', 'c1', RATE), ask('joe', 'c1', RATE)]).to.deep.equal([undefined, undefined]);
    const refused = ask('jim', 'c1', RATE);
    expect(refused).to.include({ code: 'rate_limited', hop: 'gateway', tunnel: 'c1', path: '/api', retryable: true });
    expect(refused?.message).to.equal('tunnel "c1" gets more than 2 requests a second (spec.limits.rateLimit)');
    expect(ask('jim', 'c2', RATE), 'another tunnel').to.equal(undefined);
    clock.advance(500);
    expect(ask('jim', 'c1', RATE)).to.equal(undefined);
    expect(ask('jim', 'c1', RATE)?.code).to.equal('rate_limited');
  });

  it('bounds each user over all tunnels', () => {
    const ask = asking(new Rates({ clock, perUser: RATE }));
    ask('jane', 'c1', MANY);
    ask('jane', 'c2', MANY);
    expect(ask('jane', 'c3', MANY)?.message).to.equal(
      'user "jane" sends more than 2 requests a second to this gateway',
    );
    expect(ask('joe', 'c3', MANY)).to.equal(undefined);
    clock.advance(1_000);
    expect(ask('jane', 'c1', MANY)).to.equal(undefined);
  });

  it('takes nothing of the tunnel for a user who is refused, nor of a user whom the tunnel refuses', () => {
    const ask = asking(new Rates({ clock, perUser: RATE }));
    for (let at = 0; at < 9; at++) ask('jane', 'c1', { requestsPerSecond: 1, burst: 3 });
    expect(ask('joe', 'c1', { requestsPerSecond: 1, burst: 3 }), 'the third').to.equal(undefined);
    for (let at = 0; at < 9; at++) ask('jim', 'c1', { requestsPerSecond: 1, burst: 3 });
    expect([ask('jim', 'c2', MANY), ask('jim', 'c2', MANY)]).to.deep.equal([undefined, undefined]);
    expect(ask('jim', 'c2', MANY)?.code).to.equal('rate_limited');
  });

  it('follows a tunnel whose rate changes', () => {
    const ask = asking(new Rates({ clock, perUser: undefined }));
    for (let at = 0; at < 3; at++) ask('jane', 'c1', RATE);
    expect(ask('jane', 'c1', RATE)?.code).to.equal('rate_limited');
    clock.advance(10);
    expect(ask('jane', 'c1', MANY)).to.equal(undefined);
    expect(ask('jane', 'c1', undefined)).to.equal(undefined);
  });

  it('keeps a bounded number of buckets, and forgets who was away longest', () => {
    const rates = new Rates({ clock, perUser: RATE, maxBuckets: 100 });
    const ask = asking(rates);
    const use = (user: string) => [ask(user, 'c1', undefined), ask(user, 'c1', undefined)];
    use('jane');
    for (let at = 0; at < 99; at++) use(`user-${at}`);
    expect(ask('jane', 'c1', undefined)?.code, 'still known').to.equal('rate_limited');
    for (let at = 0; at < 5_000; at++) use(`other-${at}`);
    expect(rates.size).to.equal(100);
    expect(ask('jane', 'c1', undefined)).to.equal(undefined);
  });
});
