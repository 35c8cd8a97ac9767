import { expect } from 'chai';
import { Flight } from '../../../../operator/gateway/cache/flight.ts';
import type { Kept } from '../../../../operator/gateway/cache/kept.ts';

const KEPT: Kept = { headers: [], chunks: [], atMs: 0 };

describe('operator/gateway/cache/flight', () => {
  let told: string[];
  let flight: Flight;
  beforeEach(() => {
    told = [];
    flight = new Flight();
  });

  function waiter(name: string) {
    return {
      onAnswer: () => told.push(`${name} is answered`),
      onNothing: () => told.push(`${name} asks alone`),
      onLead: () => told.push(`${name} leads`),
    };
  }

  it('tells everybody who still waits, once', () => {
    const [a, b] = [waiter('a'), waiter('b')];
    for (const each of [a, b]) expect(flight.join(each)).to.equal(true);
    flight.quit(a);
    flight.landed(KEPT);
    flight.failed();
    expect(told).to.deep.equal(['b is answered']);
    expect(flight.isOver).to.equal(true);
  });

  it('passes on to who waited longest, and is over when nobody does', () => {
    flight.join(waiter('a'));
    flight.join(waiter('b'));
    expect(flight.passOn()).to.equal(true);
    expect(told).to.deep.equal(['a leads']);
    expect(flight.isOver).to.equal(false);
    flight.failed();
    expect(told).to.deep.equal(['a leads', 'b asks alone']);
    expect(new Flight().passOn()).to.equal(false);
  });

  it('lets 256 wait and no more', () => {
    for (let at = 0; at < 256; at++) expect(flight.join(waiter('x'))).to.equal(true);
    expect(flight.join(waiter('y'))).to.equal(false);
  });
});
