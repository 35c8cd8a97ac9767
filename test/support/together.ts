/** Tests that run at the same time on things of their own, each reported under its title: what one waits for, all wait for. */
export function together(tests: Readonly<Record<string, () => Promise<void>>>): void {
  const running = new Map<string, Promise<void>>();
  const startAll = (): void => {
    for (const [title, run] of Object.entries(tests)) {
      const result = run();
      result.catch(() => {}); // its own test tells
      running.set(title, result);
    }
  };
  for (const title of Object.keys(tests)) {
    it(title, () => {
      if (running.size === 0) startAll();
      return running.get(title);
    });
  }
}
