import { type Kept, weightOf } from './kept.ts';

/** What is remembered of one tunnel, bounded in bytes; what was used least goes first. What is being collected counts too. */
export class Shelf {
  readonly #entries = new Map<string, Kept>();
  #keptBytes = 0;
  #collectingBytes = 0;

  /** Of both. */
  get bytes(): number {
    return this.#keptBytes + this.#collectingBytes;
  }

  /** Of what is complete. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** Now the one used last. */
  get(key: string): Kept | undefined {
    const kept = this.#entries.get(key);
    if (kept === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, kept);
    return kept;
  }

  /** Makes room for bytes that are being collected. False: they do not fit beside the others that are. */
  reserve(bytes: number, maxBytes: number): boolean {
    if (this.#collectingBytes + bytes > maxBytes) return false;
    this.#collectingBytes += bytes;
    this.shrink(maxBytes);
    return true;
  }

  /** They are collected no more. */
  release(bytes: number): void {
    this.#collectingBytes -= bytes;
  }

  /** In place of what was there. */
  put(key: string, kept: Kept, maxBytes: number): void {
    this.delete(key);
    this.#entries.set(key, kept);
    this.#keptBytes += weightOf(kept);
    this.shrink(maxBytes);
  }

  delete(key: string): void {
    const kept = this.#entries.get(key);
    if (kept === undefined) return;
    this.#entries.delete(key);
    this.#keptBytes -= weightOf(kept);
  }

  /** Forgets until the bound is kept. */
  shrink(maxBytes: number): void {
    for (const key of this.#entries.keys()) {
      if (this.bytes <= maxBytes) return;
      this.delete(key);
    }
  }

  /** Forgets what was used least. */
  dropOldest(): void {
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.delete(oldest);
  }

  clear(): void {
    this.#entries.clear();
    this.#keptBytes = 0;
  }
}
