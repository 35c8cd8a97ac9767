import { expect } from 'chai';
import { GatewayFixture, whole } from '../support/gateway-fixture.ts';

/** Joined tests: a machine that is busy elsewhere must not fail them. */
const BUSY_MACHINE_MS = 60_000;
const ROUNDS = 12;
const AT_ONCE = 3;
const BODY = 'x'.repeat(1_500_000);

/** RFC 9113 §8.1: the whole answer first, then the reset that asks for no more of the body. */
describe('tunnel-path: answers that come before the body of their request', function () {
  this.timeout(BUSY_MACHINE_MS);
  let fixture: GatewayFixture;

  beforeEach(async () => {
    fixture = await GatewayFixture.start();
  });
  afterEach(() => fixture.stop());

  it('have ended before their stream is reset', async () => {
    await fixture.agent({
      serve: (served) => {
        served.stream.sendHead({ status: 200, headers: [] });
        void served.pour(BODY.length).then(() => served.stream.end());
      },
    });
    const client = fixture.client('h2');
    for (let round = 0; round < ROUNDS; round++) {
      const uploads = Array.from({ length: AT_ONCE }, () =>
        whole(client, { method: 'POST', path: '/clusters/c1/api/v1/pods', body: BODY }),
      );
      const answers = await Promise.all(uploads);
      expect(answers.map(({ text }) => text.length)).to.deep.equal(answers.map(() => BODY.length));
    }
  });
});
