import { expect } from 'chai';
import { logQuery, selectLines } from '../../../../hack/lab/node/log-request.ts';

describe('hack/lab/node/log-request', () => {
  const lines = [1, 2, 3].map((second) => ({ time: `2026-01-01T00:00:0${second}.000Z`, text: `line ${second}` }));
  const select = (query: string): string =>
    selectLines(lines, logQuery(new URLSearchParams(query), Date.parse('2026-01-01T00:00:04Z')));
  const cases: [string, string][] = [
    ['', 'line 1\nline 2\nline 3\n'],
    ['tailLines=2', 'line 2\nline 3\n'],
    ['tailLines=0', ''],
    ['sinceSeconds=1', 'line 3\n'],
    ['sinceTime=2026-01-01T00:00:02Z', 'line 2\nline 3\n'],
    ['sinceSeconds=2&tailLines=1&timestamps=true', '2026-01-01T00:00:03.000Z line 3\n'],
    ['limitBytes=4', 'line'],
  ];
  for (const [query, expected] of cases) {
    it(`?${query} selects ${JSON.stringify(expected)}`, () => expect(select(query)).to.equal(expected));
  }
});
