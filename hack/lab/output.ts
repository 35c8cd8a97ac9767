/** Everything the lab says to a person leaves here: results on stdout, progress and complaints on stderr. */

/** One line a person asked for. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** One line a person did not ask for: progress, warnings, errors. */
export function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Rows under a header, columns padded to the widest cell. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
