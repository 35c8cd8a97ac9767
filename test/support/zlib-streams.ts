import { type AsyncHook, createHook } from 'node:async_hooks';
import type { Transform } from 'node:stream';

type Owned = Record<symbol, (Transform & { readonly _handle: unknown }) | undefined>;

/** Every zlib stream that is made from now on, found by its native handle. */
export class ZlibStreams {
  readonly #handles: Owned[] = [];
  readonly #hook: AsyncHook = createHook({
    init: (_id, type, _trigger, handle) => {
      if (type === 'ZLIB') this.#handles.push(handle as Owned);
    },
  }).enable();

  /** Those whose native handle is not closed. */
  get open(): Transform[] {
    return this.#handles.flatMap((handle) => {
      const owner = Object.getOwnPropertySymbols(handle).find((each) => each.description === 'owner_symbol');
      const stream = owner === undefined ? undefined : handle[owner];
      if (stream === undefined) throw new Error('node:zlib names the owner of a handle otherwise now');
      return stream._handle === null ? [] : [stream];
    });
  }

  /** Inflated or deflated bytes that wait inside. */
  get heldBytes(): number {
    return this.open.reduce((sum, stream) => sum + stream.readableLength, 0);
  }

  stop(): void {
    this.#hook.disable();
  }
}
