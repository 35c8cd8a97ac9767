import { expect } from 'chai';
import { corpus } from '../../../hack/fuzz/corpus.ts';
import { SessionFuzz } from '../../../hack/fuzz/sessions.ts';

const SEED = 20_261_123;
const SESSIONS = 2_000;

describe('tunnel/session under fuzz', () => {
  it(`goes on or ends once with a code, and leaves nothing, whatever its peer says (${SESSIONS} sessions)`, async function () {
    this.timeout(60_000);
    const fuzz = new SessionFuzz(SEED, corpus());
    for (let index = 0; index < SESSIONS; index++) expect(await fuzz.run(index)).to.equal(undefined);
    const ended = [...fuzz.endsByCode.values()].reduce((sum, count) => sum + count, 0);
    expect(ended, 'sessions that their peer ended').to.be.within(SESSIONS / 10, SESSIONS - SESSIONS / 10);
  });
});
