import { expect } from 'chai';
import { validity } from '../../../hack/faults/validity.ts';
import type { Attempt, Execution, Fault, History } from '../../../hack/load/history.ts';

const ORDERED = { cuts: 4, kills: 1 };
const FAULTS: readonly Fault[] = [1, 2, 3, 4, 5].map((at) => {
  return { kind: at === 5 ? 'gateway' : 'cut', atMs: at * 10, agent: at === 5 ? undefined : 'usual', how: '' };
});
const POST = { agent: 'usual', method: 'POST', beganMs: 15, endedMs: 25 } as Execution;
const ANSWERED = { end: 'whole', answers: 'a 1' } as Attempt;
const ENOUGH = Array.from({ length: 10 }, () => ANSWERED);

function failing(history: Partial<History>): string[] {
  const whole = { attempts: ENOUGH, executions: [POST], faults: FAULTS, ...history } as History;
  return validity(whole, ORDERED).flatMap(({ violations }) => violations);
}

describe('hack/faults/validity', () => {
  it('accepts a run that broke enough under load', () => {
    expect(failing({})).to.deep.equal([]);
  });

  it('wants all faults, a fifth of them under an unanswered POST, and answers', () => {
    expect(failing({ faults: FAULTS.slice(1) })).to.deep.equal(['3 cuts, at least 4 are needed']);
    expect(failing({ faults: FAULTS.slice(0, 4) })).to.deep.equal(['0 kills, at least 1 are needed']);
    expect(failing({ executions: [] })).to.deep.equal(['0 of them, at least 1 are needed']);
    expect(failing({ attempts: ENOUGH.slice(1) })).to.deep.equal([
      '9 whole answers of the target, at least 10 are needed',
    ]);
  });

  it('asks a full run for more than 200', () => {
    const [, underPosts] = validity({ attempts: [], executions: [], faults: [] } as unknown as History, {
      cuts: 1_000,
      kills: 50,
    });
    expect(underPosts?.violations).to.deep.equal(['0 of them, at least 210 are needed']);
  });
});
