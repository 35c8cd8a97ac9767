import { FIELDS, PACKING } from './http2/field-rules.ts';
import { BEGINNINGS, FRAMES, STREAMS } from './http2/frame-rules.ts';
import { expectRule, type Rule } from './http2/rule.ts';
import { WholePath } from './whole-path.ts';

const RULES: Readonly<Record<string, readonly Rule[]>> = {
  'how a connection begins': BEGINNINGS,
  'frame by frame': FRAMES,
  'the states of a stream': STREAMS,
  'what a request is': FIELDS,
  'how fields are packed': PACKING,
};

/** After h2spec's cases: a client that breaks HTTP/2 harms nobody but itself, and what it meant reaches no target. */
describe('tunnel-path/http2-rules', function () {
  this.timeout(30_000);
  let path: WholePath;

  before(async () => {
    path = await WholePath.start();
  });
  after(() => path.stop());

  for (const [topic, rules] of Object.entries(RULES)) {
    describe(topic, () => {
      for (const rule of rules) it(rule.what, () => expectRule(path, rule));
    });
  }
});
