import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { VERSION } from '../../process/version.ts';

describe('process/version', () => {
  it('is the version of package.json', () => {
    const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
    expect((JSON.parse(text) as { version: string }).version).to.equal(VERSION);
  });
});
