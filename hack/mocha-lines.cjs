// A mocha reporter for hack/run-tests.ts: one marked JSON line an event, so that tests may print what they like.
const { Runner } = require('mocha');

const { EVENT_RUN_END, EVENT_SUITE_BEGIN, EVENT_TEST_PASS, EVENT_TEST_FAIL, EVENT_TEST_PENDING } = Runner.constants;
const SLOW_MS = 2_000;

module.exports = function Lines(runner) {
  const say = (event, details) => process.stdout.write(`\u0001${JSON.stringify([event, details])}\n`);
  runner.on(EVENT_SUITE_BEGIN, (suite) => {
    if (suite.parent?.root) say('suite', { title: suite.title });
  });
  runner.on(EVENT_TEST_PASS, (test) => {
    say('pass', { title: test.fullTitle() });
    if (test.duration > SLOW_MS) say('slow', { title: test.fullTitle(), seconds: (test.duration / 1000).toFixed(1) });
  });
  runner.on(EVENT_TEST_PENDING, (test) => say('pending', { title: test.fullTitle() }));
  runner.on(EVENT_TEST_FAIL, (test, error) =>
    say('fail', { title: test.fullTitle(), error: error.stack ?? String(error) }),
  );
  runner.on(EVENT_RUN_END, () => say('end', {}));
};
