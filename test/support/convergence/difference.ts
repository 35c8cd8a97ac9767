/** Every path at which two JSON values differ, with both values; empty when they are equal. */
export function differences(actual: unknown, expected: unknown, path = ''): string[] {
  if (isBranch(actual) && isBranch(expected)) {
    const names = new Set([...Object.keys(actual), ...Object.keys(expected)]);
    return [...names].flatMap((name) => differences(actual[name], expected[name], `${path}/${name}`));
  }
  const [stands, should] = [JSON.stringify(actual), JSON.stringify(expected)];
  return stands === should ? [] : [`${path} is ${stands}, should be ${should}`];
}

function isBranch(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
