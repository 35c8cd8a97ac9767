/** An item's place in a list, by which it is taken out. */
export interface Link<Item> {
  readonly item: Item;
  before: Link<Item> | undefined;
  after: Link<Item> | undefined;
  /** The list that it is in. */
  list: Linked<Item> | undefined;
}

/** A list with cheap ends and cheap removal in the middle: a Map would count the holes in front at each look. */
export class Linked<Item> {
  #first: Link<Item> | undefined;
  #last: Link<Item> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get first(): Link<Item> | undefined {
    return this.#first;
  }

  get last(): Link<Item> | undefined {
    return this.#last;
  }

  push(item: Item): Link<Item> {
    const link: Link<Item> = { item, before: this.#last, after: undefined, list: this };
    if (this.#last === undefined) this.#first = link;
    else this.#last.after = link;
    this.#last = link;
    this.#size += 1;
    return link;
  }

  /** Nothing happens when it is not in this list any more. */
  remove(link: Link<Item>): void {
    if (link.list !== this) return;
    const { before, after } = link;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    link.list = undefined;
    this.#size -= 1;
  }
}
