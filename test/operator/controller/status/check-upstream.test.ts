import { expect } from 'chai';
import { checkUpstream } from '../../../../operator/controller/status/check-upstream.ts';
import type { SessionFacts } from '../../../../operator/controller/status/observe.ts';
import { observation } from './observation.ts';

/** Of observation(): evidence may be 30 s old. */
const NOW_MS = 100_000;
const FRESH_MS = NOW_MS - 30_000;
const OLD_MS = FRESH_MS - 1;

type Way = NonNullable<SessionFacts['way']>;
const way = (state: Way['state'], atMs = FRESH_MS): Way => ({ state, atMs, detail: 'why' });
const says = (healthy: boolean, observedAtMs = FRESH_MS) => ({
  healthy,
  reason: healthy ? 'Healthy' : 'NotReady',
  message: 'the word of the agent',
  observedAtMs,
});
const NOTHING = undefined;

describe('operator/controller/status/check-upstream', () => {
  const verdict = (upstream: SessionFacts['upstream'], seen: Way | undefined) => {
    const { sessions } = observation();
    const found = checkUpstream(observation({ sessions: { ...sessions, upstream, way: seen }, nowMs: NOW_MS }));
    return { ...found, brief: `${found.status}/${found.reason}` };
  };

  for (const [what, upstream, seen, brief] of [
    ['nobody has said or seen anything', NOTHING, NOTHING, 'Unknown/NotProbedYet'],
    ['the first looks met nothing', NOTHING, way('unseen'), 'Unknown/NotProbedYet'],
    ['agents say that it is well', says(true), NOTHING, 'True/Healthy'],
    ['agents say so and requests get through', says(true), way('open'), 'True/Healthy'],
    ['agents of before HEALTH say nothing, and requests get through', NOTHING, way('open'), 'True/Healthy'],
    ['agents are silent since long, and requests get through', says(true, OLD_MS), way('open'), 'True/Healthy'],
    ['agents were ill long ago, and requests get through', says(false, OLD_MS), way('open'), 'True/Healthy'],
    ['agents know what is wrong', says(false), way('open'), 'False/NotReady'],
    ['agents know what is wrong, and probes fail', says(false), way('failing'), 'False/NotReady'],
    ['agents find it well, and probes on the way of users fail', says(true), way('failing'), 'False/ProbeFailed'],
    ['agents find it well, and all workers are busy', says(true), way('saturated'), 'Unknown/Saturated'],
    ['probes failed long ago', says(true), way('failing', OLD_MS), 'True/Healthy'],
    ['workers were busy long ago', NOTHING, way('saturated', OLD_MS), 'Unknown/EvidenceTooOld'],
    ['all that is known is old', says(true, OLD_MS), way('open', OLD_MS), 'Unknown/EvidenceTooOld'],
  ] as const) {
    it(`is ${brief} when ${what}`, () => expect(verdict(upstream, seen).brief).to.equal(brief));
  }

  it('gives the last failure of a probe', () => {
    expect(verdict(says(true), way('failing')).message).to.match(/the last: why\.$/);
  });

  it('says the same as long as the same is so: each other word would be a write', () => {
    for (const state of ['open', 'failing', 'saturated'] as const) {
      const [a, b] = [FRESH_MS, NOW_MS].map((atMs) => verdict(undefined, way(state, atMs)));
      expect(a).to.deep.equal(b);
    }
  });
});
