/** By how much a value grows from one to the next: the slope of the straight line with the least squares. @throws RangeError below two values */
export function slope(values: readonly number[]): number {
  if (values.length < 2) throw new RangeError(`a slope of ${values.length} values`);
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const over = values.reduce((sum, value, at) => sum + (at - middle) * (value - mean), 0);
  const under = values.reduce((sum, _, at) => sum + (at - middle) ** 2, 0);
  return over / under;
}

/** The largest over the smallest: 1 when all are the same, infinite when one has nothing. @throws RangeError without values */
export function spread(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('no values');
  return Math.max(...values) / Math.min(...values);
}
