import { attemptText } from './asked.ts';
import { type Attempt, type Execution, type History, isWrite } from './history.ts';
import { statusTrouble } from './status-trouble.ts';

/** One rule and what broke it: none if it held. */
export interface Verdict {
  readonly rule: string;
  readonly violations: readonly string[];
}

type Rule = (history: History, seen: Index) => readonly string[];

/** The executions by what they belong to. */
interface Index {
  readonly byId: ReadonlyMap<string, readonly Execution[]>;
  readonly byAttempt: ReadonlyMap<string, readonly Execution[]>;
}

/** What holds in every run, whatever was broken meanwhile. design.md §8. */
const RULES = {
  'no write is executed twice': (_, { byId }) =>
    [...byId.values()]
      .filter((executions) => executions.length > 1 && executions.some(isWrite))
      .map((executions) => `${executions.map((each) => `${each.method} ${attemptText(each)}`).join(' and ')}`),

  'a write that was promised not to have run did not run': ({ attempts }, { byAttempt }) =>
    attempts
      .filter((attempt) => isWrite(attempt) && isOwnAnswer(attempt) && attempt.retryAfter !== undefined)
      .filter((attempt) => byAttempt.has(attemptText(attempt)))
      .map((attempt) => `${told(attempt)}: Retry-After ${attempt.retryAfter}, though the target had begun it`),

  'an answer that ends cleanly is whole': ({ attempts }) =>
    attempts
      .filter(({ end, isWatch, answers }) => end === 'whole' && !isWatch && answers !== undefined)
      .filter(({ receivedBytes, answerBytes }) => receivedBytes !== answerBytes)
      .map((attempt) => `${told(attempt)}: ${attempt.receivedBytes} of ${attempt.answerBytes} bytes`),

  'the bytes of an answer are those that were produced': ({ attempts }) =>
    attempts.filter((attempt) => attempt.answers !== undefined && !attempt.isIntact).map(told),

  'an answer belongs to its request': ({ attempts }) =>
    attempts
      .filter((attempt) => attempt.answers !== undefined && attempt.answers !== attemptText(attempt))
      .map((attempt) => `${told(attempt)}: got the answer to ${attempt.answers}`),

  'an answer of the target is to a request that it saw': ({ attempts }, { byAttempt }) =>
    attempts.filter((attempt) => attempt.answers !== undefined && !byAttempt.has(attemptText(attempt))).map(told),

  'a request body that ends cleanly is whole, byte for byte': ({ executions }) =>
    executions
      .filter(({ body, requestBytes }) => body !== undefined && !(body.isIntact && body.bytes === requestBytes))
      .map(({ body, requestBytes, ...each }) => {
        return `${each.method} ${attemptText(each)}: ${body?.bytes} of ${requestBytes} bytes${body?.isIntact ? '' : ', and others'}`;
      }),

  'a request runs as the user who sent it': ({ executions }) =>
    executions
      .filter(({ user, impersonates }) => user !== impersonates)
      .map((each) => `${each.method} ${attemptText(each)}: ${each.user} ran as ${each.impersonates}`),

  'an error before the head is a Status': ({ attempts }) =>
    attempts.filter(isOwnAnswer).flatMap((attempt) => {
      const trouble = statusTrouble(attempt);
      return trouble === undefined ? [] : [`${told(attempt)}: ${trouble}`];
    }),

  'nothing hangs': ({ attempts }) =>
    attempts
      .filter(({ end }) => end === 'hung')
      .map((attempt) => `${told(attempt)}: ${Math.round((attempt.endedMs - attempt.startedMs) / 1_000)} s`),

  'nothing is left when all is quiet': ({ leftovers }) => leftovers,
  'every agent is back at the end': ({ withoutSession }) => withoutSession,
  'no process ends by itself': ({ crashes }) => crashes,
  'no error goes unhandled': ({ outcries }) => outcries,
} as const satisfies Readonly<Record<string, Rule>>;

export type RuleName = keyof typeof RULES;

/** All of them. */
export const RULE_NAMES = Object.keys(RULES) as readonly RuleName[];

/** Every rule of a run, and whether it held. Pure. */
export function check(history: History): Verdict[] {
  const index: Index = {
    byId: grouped(history.executions, ({ id }) => id),
    byAttempt: grouped(history.executions, attemptText),
  };
  const rules: Readonly<Record<RuleName, Rule>> = RULES;
  return RULE_NAMES.map((rule) => ({ rule, violations: rules[rule](history, index) }));
}

/** A whole answer that the gateway gave itself. */
function isOwnAnswer({ end, answers }: Attempt): boolean {
  return end === 'whole' && answers === undefined;
}

function told(attempt: Attempt): string {
  const { method, protocol, tunnel, status, end } = attempt;
  return `${method} ${attemptText(attempt)} over ${protocol} to ${tunnel}: ${status ?? 'no head'}, ${end}`;
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}
