import { expect } from 'chai';
import { silentLogger } from '../../process/log.ts';
import { QuietLog } from '../../process/quiet-log.ts';
import { ManualClock } from '../support/manual-clock.ts';

describe('process/quiet-log', () => {
  it('says the first warning of a kind at once, then counts what it leaves out for 5 s', () => {
    const clock = new ManualClock();
    const said: [string, unknown][] = [];
    const log = { ...silentLogger, warn: (message: string, fields?: unknown) => said.push([message, fields]) };
    const quiet = new QuietLog(log, clock);
    for (let index = 0; index < 100; index++) quiet.warn('hub cannot answer', { index });
    quiet.warn('another thing', {});
    expect(said).to.deep.equal([
      ['hub cannot answer', { index: 0 }],
      ['another thing', {}],
    ]);
    clock.advance(5_000);
    quiet.warn('hub cannot answer', { index: 100 });
    expect(said.at(-1)).to.deep.equal(['hub cannot answer', { index: 100, leftOut: 99 }]);
  });
});
