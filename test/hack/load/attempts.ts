import type { Attempt } from '../../../hack/load/history.ts';

/** A GET that the target answered, from 10 to 20 ms. */
export function answered(changes: Partial<Attempt> = {}): Attempt {
  return {
    id: 'a',
    attempt: 1,
    tunnel: 'load',
    user: 'ann',
    holdMs: 0,
    requestBytes: 0,
    answerBytes: 5,
    isUnsized: false,
    dripMs: 0,
    isWatch: false,
    method: 'GET',
    protocol: 'h2',
    startedMs: 10,
    endedMs: 20,
    end: 'whole',
    status: 200,
    contentType: '',
    retryAfter: undefined,
    answers: 'a 1',
    text: '',
    receivedBytes: 5,
    isIntact: true,
    ...changes,
  };
}
