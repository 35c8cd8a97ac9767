const SIZED = ['alloc', 'allocUnsafe', 'allocUnsafeSlow'] as const;

/** Counts the bytes of buffers that are asked for by size, by everybody, until it is told to stop. */
export class Allocations {
  bytes = 0;
  readonly #originals = SIZED.map((name) => Buffer[name]);

  constructor() {
    SIZED.forEach((name, index) => {
      Buffer[name] = (size: number, ...rest: []) => {
        this.bytes += size;
        return (this.#originals[index] as typeof Buffer.allocUnsafe)(size, ...rest);
      };
    });
  }

  stop(): void {
    SIZED.forEach((name, index) => {
      Buffer[name] = this.#originals[index] as typeof Buffer.allocUnsafe;
    });
  }
}
