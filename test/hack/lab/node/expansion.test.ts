import { expect } from 'chai';
import { expand } from '../../../../hack/lab/node/expansion.ts';

describe('hack/lab/node/expansion', () => {
  const variables = new Map([
    ['NAME', 'web'],
    ['EMPTY', ''],
  ]);
  const cases: [string, string][] = [
    ['--name=$(NAME)', '--name=web'],
    ['$(NAME)$(NAME)', 'webweb'],
    ['[$(EMPTY)]', '[]'],
    ['$(UNKNOWN)', '$(UNKNOWN)'],
    ['$$(NAME)', '$(NAME)'],
    ['$$$(NAME)', '$web'],
    ['$NAME', '$NAME'],
    ['$(NAME', '$(NAME'],
    ['costs 5$', 'costs 5$'],
    ['$$', '$'],
  ];
  for (const [text, expected] of cases) {
    it(`${text} becomes ${expected}`, () => expect(expand(text, variables)).to.equal(expected));
  }
});
