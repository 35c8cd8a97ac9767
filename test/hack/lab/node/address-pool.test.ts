import { expect } from 'chai';
import { AddressPool } from '../../../../hack/lab/node/address-pool.ts';

describe('hack/lab/node/address-pool', () => {
  it('gives each pod its own address of the network', () => {
    const pool = new AddressPool(42);
    expect([pool.take(), pool.take()]).to.deep.equal(['127.42.0.2', '127.42.0.3']);
  });

  it('does not reuse a freed address before all others had their turn', () => {
    const pool = new AddressPool(42);
    const first = pool.take();
    pool.release(first);
    const seen = Array.from({ length: 65_532 }, () => pool.take());
    expect(seen).not.to.include(first);
    expect(seen).to.include('127.42.1.0');
    expect(pool.take()).to.equal(first);
  });

  it('has an end', () => {
    const pool = new AddressPool(42);
    for (let count = 0; count < 65_533; count++) pool.take();
    expect(() => pool.take()).to.throw(RangeError, '127.42.0.0/16');
  });
});
