import { expect } from 'chai';
import type { Asked } from '../../../hack/load/asked.ts';
import { check, RULE_NAMES, type RuleName } from '../../../hack/load/check.ts';
import type { Attempt, Execution, History } from '../../../hack/load/history.ts';

const ASKED: Asked = {
  id: 'h1-usual-0-1',
  attempt: 1,
  tunnel: 'usual',
  user: 'h1-usual-0',
  holdMs: 0,
  requestBytes: 10,
  answerBytes: 20,
  isUnsized: true,
  dripMs: 0,
  isWatch: false,
};

/** A POST that the target answered. */
function attempt(changes: Partial<Attempt> = {}): Attempt {
  const { id, attempt: number } = { ...ASKED, ...changes };
  return {
    ...ASKED,
    method: 'POST',
    protocol: 'h2',
    startedMs: 0,
    endedMs: 5,
    end: 'whole',
    status: 200,
    contentType: 'application/octet-stream',
    retryAfter: undefined,
    answers: `${id} ${number}`,
    text: '',
    receivedBytes: 20,
    isIntact: true,
    ...changes,
  };
}

/** The gateway's own answer. */
function refused(status: number, retryAfter: string | undefined, changes: Partial<Attempt> = {}): Attempt {
  const details = retryAfter === undefined ? {} : { retryAfterSeconds: Number(retryAfter) };
  const body = {
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    reason: 'Timeout',
    message: 'no',
    details,
    code: status,
  };
  const said = { status, retryAfter, contentType: 'application/json', text: JSON.stringify(body) };
  return attempt({ answers: undefined, receivedBytes: 0, ...said, ...changes });
}

function execution(changes: Partial<Execution> = {}): Execution {
  return {
    id: ASKED.id,
    attempt: 1,
    tunnel: 'usual',
    agent: 'usual',
    method: 'POST',
    user: ASKED.user,
    impersonates: ASKED.user,
    requestBytes: 10,
    beganMs: 1,
    body: { bytes: 10, isIntact: true },
    endedMs: 4,
    isWhole: true,
    ...changes,
  };
}

const GOOD: History = {
  attempts: [
    attempt(),
    // A promise that was taken up.
    refused(503, '1', { id: 'b' }),
    attempt({ id: 'b', attempt: 2 }),
    // Nobody knows, nobody repeats.
    refused(504, undefined, { id: 'c' }),
    // A read may run as often as it likes, and break off after its head.
    attempt({ id: 'd', method: 'GET', end: 'cut', receivedBytes: 7 }),
    // A watch may end anywhere.
    attempt({ id: 'e', method: 'GET', isWatch: true, answerBytes: 0, receivedBytes: 900 }),
  ],
  executions: [
    execution(),
    execution({ id: 'b', attempt: 2 }),
    execution({ id: 'c', body: undefined, endedMs: undefined }),
    execution({ id: 'd', method: 'GET' }),
    execution({ id: 'd', method: 'GET' }),
    execution({ id: 'e', method: 'GET' }),
  ],
  faults: [],
  leftovers: [],
  withoutSession: [],
  crashes: [],
  outcries: [],
};

/** The good history with one more of something. */
function plus(more: Partial<Pick<History, 'attempts' | 'executions'>>): History {
  return {
    ...GOOD,
    attempts: [...GOOD.attempts, ...(more.attempts ?? [])],
    executions: [...GOOD.executions, ...(more.executions ?? [])],
  };
}

function broken(history: History): string[] {
  return check(history)
    .filter(({ violations }) => violations.length > 0)
    .map(({ rule }) => rule);
}

/** A good history in which one thing went wrong, and the rules that must say so. */
const MUTATIONS: readonly { name: string; rules: readonly RuleName[]; history: History }[] = [
  {
    name: 'a write that ran twice, sent once',
    rules: ['no write is executed twice'],
    history: plus({ executions: [execution()] }),
  },
  {
    name: 'a write that ran, and again when its client repeated it',
    rules: ['no write is executed twice', 'a write that was promised not to have run did not run'],
    history: plus({ executions: [execution({ id: 'b', attempt: 1 })] }),
  },
  {
    name: 'a promise for a write that had begun, though nobody repeated it',
    rules: ['a write that was promised not to have run did not run'],
    history: plus({
      attempts: [refused(429, '1', { id: 'f' })],
      executions: [execution({ id: 'f', body: undefined })],
    }),
  },
  {
    name: 'an answer that ends short as if it were whole',
    rules: ['an answer that ends cleanly is whole'],
    history: plus({ attempts: [attempt({ receivedBytes: 19 })] }),
  },
  {
    name: 'other bytes in an answer that broke off',
    rules: ['the bytes of an answer are those that were produced'],
    history: plus({ attempts: [attempt({ end: 'cut', receivedBytes: 3, isIntact: false })] }),
  },
  {
    name: "another request's answer",
    rules: ['an answer belongs to its request'],
    history: plus({ attempts: [attempt({ answers: 'b 2' })] }),
  },
  {
    name: 'an answer to a request that the target never saw',
    rules: ['an answer of the target is to a request that it saw'],
    history: plus({ attempts: [attempt({ id: 'g' })] }),
  },
  {
    name: 'a request body that ends short as if it were whole',
    rules: ['a request body that ends cleanly is whole, byte for byte'],
    history: plus({ executions: [execution({ id: 'h', body: { bytes: 9, isIntact: true } })] }),
  },
  {
    name: 'other bytes in a request body',
    rules: ['a request body that ends cleanly is whole, byte for byte'],
    history: plus({ executions: [execution({ id: 'h', body: { bytes: 10, isIntact: false } })] }),
  },
  {
    name: 'somebody else',
    rules: ['a request runs as the user who sent it'],
    history: plus({ executions: [execution({ id: 'h', impersonates: 'h2-other-1' })] }),
  },
  {
    name: 'an error that is no Status',
    rules: ['an error before the head is a Status'],
    history: plus({ attempts: [refused(502, undefined, { text: 'Bad Gateway' })] }),
  },
  {
    name: 'no answer for ever',
    rules: ['nothing hangs'],
    history: plus({ attempts: [attempt({ id: 'i', end: 'hung', status: undefined, answers: undefined })] }),
  },
  {
    name: 'a stream that is left',
    rules: ['nothing is left when all is quiet'],
    history: { ...GOOD, leftovers: ['gateway: streams 1'] },
  },
  {
    name: 'an agent that did not come back',
    rules: ['every agent is back at the end'],
    history: { ...GOOD, withoutSession: ['agent usual: backoff'] },
  },
  {
    name: 'a process that ended',
    rules: ['no process ends by itself'],
    history: { ...GOOD, crashes: ['the gateway (process 1) ended by itself'] },
  },
  {
    name: 'an error that nobody caught',
    rules: ['no error goes unhandled'],
    history: { ...GOOD, outcries: ['gateway.log: unhandledRejection'] },
  },
];

describe('hack/load/check', () => {
  it('finds nothing in a good history', () => {
    expect(broken(GOOD)).to.deep.equal([]);
    expect(check(GOOD)).to.have.length(RULE_NAMES.length);
  });

  for (const { name, rules, history } of MUTATIONS) {
    it(`sees ${name}`, () => expect(broken(history)).to.deep.equal(rules));
  }

  it('has a mutation for every rule', () => {
    expect(new Set(MUTATIONS.flatMap(({ rules }) => rules))).to.deep.equal(new Set(RULE_NAMES));
  });
});
