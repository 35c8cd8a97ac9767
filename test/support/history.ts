import type { ApiClient } from '../../hack/lab/api/client.ts';
import type { KubeObject } from '../../hack/lab/api/objects.ts';
import { Reflector } from '../../hack/lab/api/reflector.ts';
import { News, type Patience } from './news.ts';

/** An object as it was told once: present in this state, or gone after it. */
export interface Moment<T> {
  readonly object: T;
  readonly isGone: boolean;
}

/** Every state that the objects of one collection went through, as a watch told it. */
export class History<T extends KubeObject> {
  readonly #moments: Moment<T>[] = [];
  readonly #news = new News();
  readonly #reflector: Reflector<T>;

  private constructor(client: ApiClient, path: string) {
    this.#reflector = new Reflector<T>({
      client,
      path,
      onChange: (object, change) => {
        this.#moments.push({ object, isGone: change === 'gone' });
        this.#news.tell();
      },
    });
  }

  /** Begins with what is there now. `path`: of the collection. */
  static async open<T extends KubeObject>(client: ApiClient, path: string): Promise<History<T>> {
    const history = new History<T>(client, path);
    history.#reflector.start();
    await history.#reflector.synced;
    return history;
  }

  stop(): Promise<void> {
    return this.#reflector.stop();
  }

  /** What was told of the objects that `isMeant`, oldest first. */
  moments(isMeant: (object: T) => boolean): Moment<T>[] {
    return this.#moments.filter(({ object }) => isMeant(object));
  }

  /** The objects that are there now. */
  present(): T[] {
    return this.#reflector.items();
  }

  /** The first result of `look` that is not undefined: asked now and after every change. @throws Error */
  until<R>(what: string, look: () => R | undefined, patience: Patience): Promise<R> {
    return this.#news.until(what, look, patience);
  }
}
