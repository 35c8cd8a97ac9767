/** An exact replacement in one source file. */
export interface Patch {
  /** From the repository's root: tunnel/session/session.ts. */
  readonly file: string;
  /** Must stand there exactly once. */
  readonly from: string;
  readonly to: string;
}

/** The source with all patches of this file. @throws Error for one that does not fit: the source has moved on, and the patch must follow. */
export function patched(source: string, file: string, patches: readonly Patch[]): string {
  let text = source;
  for (const { from, to } of patches.filter((patch) => patch.file === file)) {
    const times = text.split(from).length - 1;
    if (times !== 1) throw new Error(`${file} has ${times} places like ${JSON.stringify(from)}, one is needed`);
    text = text.replace(from, () => to);
  }
  return text;
}
