import { expect } from 'chai';
import { demandedValue } from '../../tunnel/field-selector.ts';

describe('tunnel/field-selector', () => {
  const DEMANDED: readonly (readonly [selector: string, name: string | undefined])[] = [
    ['metadata.name=a', 'a'],
    ['metadata.name==a', 'a'],
    ['spec.nodeName=n,metadata.name=a', 'a'],
    ['metadata.name=b,metadata.name=a', 'a'],
    ['metadata.name=a,', 'a'],
    ['metadata.name=', ''],
    ['metadata.name=a\\,b', 'a,b'],
    ['metadata.name=a\\=b\\\\', 'a=b\\'],
    ['', undefined],
    ['metadata.name!=a', undefined],
    ['metadata.namespace=a', undefined],
    ['metadata.name', undefined],
    ['metadata.name=a,spec', undefined],
    ['metadata.name=a=b', undefined],
    ['metadata.name=a\\b', undefined],
    ['metadata.name=a\\', undefined],
    ['metadata.name=a,spec.nodeName=\\x', undefined],
  ];
  for (const [selector, name] of DEMANDED) {
    it(`${JSON.stringify(selector)} demands ${name === undefined ? 'no name' : JSON.stringify(name)}`, () => {
      expect(demandedValue(selector, 'metadata.name')).to.equal(name);
    });
  }
});
