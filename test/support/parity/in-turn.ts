/**
 * Starts a list of steps that build on each other: the whole list in the first way, then in the second, and so on.
 * Returns a promise for each step of each way; a failed step does not keep the next one waiting.
 */
export function inTurn<Way, Step, Result>(
  ways: readonly Way[],
  steps: readonly Step[],
  run: (way: Way, step: Step) => Promise<Result>,
): { readonly results: ReadonlyMap<Way, readonly Promise<Result>[]>; readonly ended: Promise<unknown> } {
  let before: Promise<unknown> = Promise.resolve();
  const results = ways.map((way) => {
    const each = steps.map((step) => {
      const result = before.then(() => run(way, step));
      before = result.catch(() => {}); // whoever asks for this result hears of it
      return result;
    });
    return [way, each] as const;
  });
  return { results: new Map(results), ended: before };
}
