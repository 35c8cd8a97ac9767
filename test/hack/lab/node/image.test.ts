import { expect } from 'chai';
import { programFor } from '../../../../hack/lab/node/image.ts';

describe('hack/lab/node/image', () => {
  const images = { clustertunnel: ['ours'], 'localhost:5000/acme/clustertunnel': ['theirs'] };
  const cases: [string, string | undefined][] = [
    ['clustertunnel', 'ours'],
    ['clustertunnel:v1', 'ours'],
    ['ghcr.io/acme/clustertunnel:v1@sha256:0', 'ours'],
    ['clustertunnel/debug:v1', 'ours'],
    ['localhost:5000/acme/clustertunnel', 'theirs'],
    ['clustertunnel-fork:v1', undefined],
    ['busybox', undefined],
  ];
  for (const [image, expected] of cases) {
    it(`${image} is ${expected ?? 'unknown'}`, () => expect(programFor(image, images)?.[0]).to.equal(expected));
  }
});
