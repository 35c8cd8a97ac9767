import type { Verdict } from '../load/check.ts';
import { faultsUnderPosts } from '../load/executions.ts';
import type { History } from '../load/history.ts';

/** A run that broke little, or under no load, proves nothing. */

/** Of all faults: 210 of 1,050. */
const UNDER_POSTS = 0.2;
const ANSWERS_PER_FAULT = 2;

export interface Ordered {
  readonly cuts: number;
  readonly kills: number;
}

/** Whether a run was one that could have found something. Pure. */
export function validity({ attempts, executions, faults }: History, ordered: Ordered): Verdict[] {
  const cuts = faults.filter(({ kind }) => kind === 'cut').length;
  const kills = faults.length - cuts;
  const underPosts = faultsUnderPosts(executions, faults).length;
  const answers = attempts.filter(({ end, answers: of }) => end === 'whole' && of !== undefined).length;
  return [
    enough('all faults happened', [
      { is: cuts, least: ordered.cuts, what: 'cuts' },
      { is: kills, least: ordered.kills, what: 'kills' },
    ]),
    enough('faults hit while a POST was sent and unanswered', [
      { is: underPosts, least: Math.floor(UNDER_POSTS * (ordered.cuts + ordered.kills)), what: 'of them' },
    ]),
    enough('there was load', [
      { is: answers, least: ANSWERS_PER_FAULT * faults.length, what: 'whole answers of the target' },
    ]),
  ];
}

interface Count {
  readonly is: number;
  readonly least: number;
  readonly what: string;
}

function enough(rule: string, counts: readonly Count[]): Verdict {
  const short = counts.filter(({ is, least }) => is < least);
  return { rule, violations: short.map(({ is, least, what }) => `${is} ${what}, at least ${least} are needed`) };
}
