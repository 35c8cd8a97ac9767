import { expect } from 'chai';
import { freeSecondByte, labIdOf, nodeAddresses } from '../../../../hack/lab/kubelet-node/addresses.ts';

const LAB = labIdOf('/somewhere/.lab/default');

describe('hack/lab/kubelet-node/addresses', () => {
  it('gives every node of a lab a cable and a pod range of its own', () => {
    expect(nodeAddresses('abcdef012345', 200, 1)).to.deep.equal({
      host: '10.200.1.1',
      node: '10.200.1.2',
      prefixBits: 30,
      podRange: '10.200.129.0/24',
      link: 'ct-abcdef-1',
    });
  });

  it('keeps the name of a link within the 15 characters of the kernel', () => {
    expect(nodeAddresses(LAB, 200, 99).link.length).to.be.at.most(15);
  });

  it('steps over ranges in which this machine has an address', () => {
    const first = freeSecondByte(LAB, []);
    expect(first).to.be.within(192, 251);
    const next = freeSecondByte(LAB, [`10.${first}.0.1`]);
    expect(next).to.be.within(192, 251).and.not.equal(first);
  });

  it('says so when there is no room', () => {
    const all = Array.from({ length: 60 }, (_, index) => `10.${192 + index}.3.4`);
    expect(() => freeSecondByte(LAB, all)).to.throw('there is no room for a lab');
  });
});
