import { expect } from 'chai';
import { specSchema } from '../../crds/schema.ts';
import { CrossedPath, type Levels } from './crossed/crossed-path.ts';
import { type Crossing, NOTHING } from './crossed/crossing.ts';
import { BYTE_CROSSINGS } from './crossed/of-bytes.ts';
import { REQUEST_CROSSINGS } from './crossed/of-requests.ts';
import { SESSION_CROSSINGS } from './crossed/of-sessions.ts';
import { TIME_CROSSINGS } from './crossed/of-time.ts';

const CROSSINGS: readonly Crossing[] = [
  ...REQUEST_CROSSINGS,
  ...BYTE_CROSSINGS,
  ...TIME_CROSSINGS,
  ...SESSION_CROSSINGS,
];
const { limits, timeouts } = specSchema.properties;
/** What bounds a tunnel. */
const LIMITS = [
  ...Object.keys(limits.properties).map((name) => `spec.limits.${name}`),
  ...Object.keys(timeouts.properties).map((name) => `spec.timeouts.${name}`),
  ...['spec.cache.maxBytes', '--max-buffer-bytes'],
];

/** Each limit on the whole way: what clients see beyond it, what the metrics tell, and that nothing is left of it. */
describe('tunnel-path/limits-crossed', function () {
  this.timeout(60_000);

  it('every limit of the spec is crossed, and nothing else', () => {
    expect([...new Set(CROSSINGS.map(({ limit }) => limit))].sort()).to.deep.equal([...LIMITS].sort());
  });

  for (const { limit, how, options, cross, sees, meanwhile = {}, atMost = {}, counted } of CROSSINGS) {
    it(`${limit}: ${how}`, async () => {
      const path = await CrossedPath.start(options);
      try {
        expect(await cross(path), 'what clients see').to.deep.equal(sees);
        expect(of(meanwhile, path.noted), 'the metrics meanwhile').to.deep.equal(meanwhile);
        for (const [series, most] of Object.entries(atMost)) expect(path.noted[series], series).to.be.within(1, most);
        const quiet = await path.quiet();
        expect(of({ ...counted, ...troubles(quiet) }, quiet), 'what was counted').to.deep.equal(counted);
        expect(of(NOTHING, await path.gone()), 'what is left').to.deep.equal(NOTHING);
      } catch (error) {
        // What stopping says then follows from it.
        await path.stop().catch(() => {});
        throw error;
      }
      await path.stop();
    });
  }
});

/** Series that tell of answers that were not the target's, or not whole. */
function troubles(levels: Levels): Levels {
  return Object.fromEntries(Object.entries(levels).filter(([series]) => /_(refused|cut|errors)_total\{/.test(series)));
}

/** The same series. */
function of(series: Levels, levels: Levels): Record<string, number | undefined> {
  return Object.fromEntries(Object.keys(series).map((name) => [name, levels[name]]));
}
