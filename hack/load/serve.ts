import { describeError } from '../../process/redact.ts';

/** What a worker can be asked: plain data in, plain data out. */
export type Methods = Readonly<Record<string, (argument: never) => unknown>>;

export interface Call {
  readonly id: number;
  readonly method: string;
  readonly argument: unknown;
}

export interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** Answers the calls of the process that forked this one, until that process is gone. */
export function serve(methods: Methods): void {
  process.on('message', ({ id, method, argument }: Call) => {
    const reply = (rest: Omit<Reply, 'id'>) => process.connected && process.send?.({ id, ...rest });
    Promise.resolve()
      .then(() => methods[method]?.(argument as never))
      .then(
        (result) => reply({ result }),
        (error: unknown) => reply({ error: describeError(error) }),
      );
  });
  process.once('disconnect', () => process.exit(0));
}
