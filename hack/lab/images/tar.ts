/** One entry of a tar archive. */
export interface TarEntry {
  /** Without a leading slash. */
  readonly path: string;
  readonly mode: number;
  /** Bytes of a file; a folder or a symbolic link has none. */
  readonly content?: Uint8Array;
  /** Where a symbolic link points to. */
  readonly linkTo?: string;
}

const BLOCK_BYTES = 512;
const [FILE, LINK, FOLDER] = ['0', '2', '5'];

/** A tar archive (ustar) of these entries in this order: all belong to root, all are from 1970, so equal input is equal output. */
export function tar(entries: readonly TarEntry[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const entry of entries) {
    parts.push(header(entry));
    if (entry.content === undefined) continue;
    parts.push(entry.content, Buffer.alloc(-entry.content.length & (BLOCK_BYTES - 1)));
  }
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK_BYTES)]);
}

/** An entry for every folder above these paths, parents first. */
export function foldersAbove(paths: readonly string[]): TarEntry[] {
  const folders = new Set<string>();
  for (const path of paths) {
    const segments = path.split('/').slice(0, -1);
    for (let depth = 1; depth <= segments.length; depth++) folders.add(segments.slice(0, depth).join('/'));
  }
  return [...folders].sort().map((path) => ({ path, mode: 0o755 }));
}

function header({ path, mode, content, linkTo }: TarEntry): Buffer {
  const type = linkTo !== undefined ? LINK : content !== undefined ? FILE : FOLDER;
  const block = Buffer.alloc(BLOCK_BYTES);
  const text = (value: string, at: number, lengthBytes: number): void => {
    if (Buffer.byteLength(value) > lengthBytes) throw new RangeError(`${value} is too long for a tar header`);
    block.write(value, at);
  };
  const octal = (value: number, at: number, digits: number): void =>
    text(value.toString(8).padStart(digits, '0'), at, digits);
  text(path, 0, 100);
  octal(mode, 100, 7);
  octal(0, 108, 7); // user and group: root
  octal(0, 116, 7);
  octal(content?.length ?? 0, 124, 11);
  octal(0, 136, 11); // time
  text(' '.repeat(8), 148, 8); // the checksum counts as blanks
  text(type, 156, 1);
  text(linkTo ?? '', 157, 100);
  text('ustar\u000000', 257, 8);
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    6,
  );
  block[154] = 0;
  return block;
}
