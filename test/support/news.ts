export interface Patience {
  readonly timeoutMs: number;
  /** For the person who asks why it did not happen. */
  readonly told: () => string;
}

/** Wakes those who wait for something, whenever something happened. */
export class News {
  readonly #listeners = new Set<() => void>();

  tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  /**
   * The first result of `look` that is not undefined: asked now and after every piece of news.
   * @throws Error that says what did not happen in time
   */
  until<R>(what: string, look: () => R | undefined, { timeoutMs, told }: Patience): Promise<R> {
    const first = look();
    if (first !== undefined) return Promise.resolve(first);
    return new Promise((resolve, reject) => {
      const listener = (): void => {
        const seen = look();
        if (seen === undefined) return;
        leave();
        resolve(seen);
      };
      const timer = setTimeout(() => {
        leave();
        reject(new Error(`${what}: did not happen within ${timeoutMs / 1000} s; last: ${told()}`));
      }, timeoutMs);
      const leave = (): void => {
        clearTimeout(timer);
        this.#listeners.delete(listener);
      };
      this.#listeners.add(listener);
    });
  }
}
