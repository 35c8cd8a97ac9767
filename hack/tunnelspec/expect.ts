/** @throws Error saying both when they differ. */
export function expectEqual<T>(what: string, came: T, expected: T): void {
  if (Object.is(came, expected)) return;
  throw new Error(`expected ${what} to be ${JSON.stringify(expected)}, came ${JSON.stringify(came)}`);
}

/** @throws Error unless it holds. */
export function expectThat(what: string, holds: boolean, came?: unknown): void {
  if (!holds) throw new Error(`expected ${what}${came === undefined ? '' : `, came ${JSON.stringify(came)}`}`);
}

export function expectStatus({ status }: { readonly status: number }, expected: number): void {
  expectEqual('the status', status, expected);
}

/** What the promise brings. @throws Error naming what was expected when that takes longer. */
export async function within<T>(what: string, ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`expected ${what} within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
