import { type Operation, WATCH } from '../client/draw.ts';

/** Answered never, as far as anybody waits. */
export const HELD: Operation = {
  method: 'GET',
  holdMs: 120_000,
  requestBytes: 0,
  answerBytes: 10,
  isUnsized: false,
  parts: 1,
  pauseMs: 0,
  isSized: true,
  isWatch: false,
};
/** A body that is under way for a minute. */
export const SENDING: Operation = {
  ...HELD,
  method: 'POST',
  holdMs: 0,
  requestBytes: 60_000,
  parts: 300,
  pauseMs: 200,
};
/** An answer that is under way for a minute. */
export const DRIPPING: Operation = { ...HELD, holdMs: 0, answerBytes: 10_000_000, isUnsized: true, dripMs: 100 };
/** An answer that nobody reads. */
export const UNREAD: Operation = { ...HELD, holdMs: 0, answerBytes: 100_000_000, bytesPerSecond: 0 };
/** An exec, switched at once. */
export const EXEC: Operation = { ...HELD, holdMs: 0, answerBytes: 0 };
/** An exec, switched never. */
export const HELD_EXEC: Operation = { ...HELD, answerBytes: 0 };
export { WATCH };
