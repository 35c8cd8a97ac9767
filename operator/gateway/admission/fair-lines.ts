import { type Link, Linked } from './linked.ts';

/** Where an item stands. */
export interface Standing<Item> {
  readonly line: Line<Item>;
  readonly link: Link<Item>;
}

/** The items of one user, in the order of coming. */
interface Line<Item> {
  readonly user: string;
  readonly items: Linked<Item>;
  /** In the order of turns. */
  turn: Link<Line<Item>>;
  /** Among the lines of its length. */
  rank: Link<Line<Item>>;
}

/**
 * One line a user, served in turn: a user with a thousand items does not stand before one who has one. Every step takes the
 * same time, however many there are.
 */
export class FairLines<Item> {
  readonly #byUser = new Map<string, Line<Item>>();
  readonly #turns = new Linked<Line<Item>>();
  /** Lines by length. */
  readonly #ranks: Linked<Line<Item>>[] = [];
  #longest = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Items of this user. */
  lengthOf(user: string): number {
    return this.#byUser.get(user)?.items.size ?? 0;
  }

  /** Length of the longest line. */
  get longest(): number {
    return this.#longest;
  }

  /** At the end of its user's line; a new line's first turn comes after everybody else's next one. */
  add(user: string, item: Item): Standing<Item> {
    const line = this.#byUser.get(user) ?? this.#open(user);
    const link = line.items.push(item);
    this.#size += 1;
    this.#rank(line);
    return { line, link };
  }

  /** The item whose turn it is. */
  next(): Item | undefined {
    return this.#turns.first?.item.items.first?.item;
  }

  /** The newest item of a longest line. */
  newestOfLongest(): Item | undefined {
    return this.#ranks[this.#longest]?.first?.item.items.last?.item;
  }

  /** It was its turn: out of the line, which has its next turn after all others. False: it was out already. */
  serve(standing: Standing<Item>): boolean {
    const { line } = standing;
    if (!this.remove(standing)) return false;
    if (line.items.size === 0) return true;
    this.#turns.remove(line.turn);
    line.turn = this.#turns.push(line);
    return true;
  }

  /** Out of the line, whoever's turn it is. False: it was out already. */
  remove({ line, link }: Standing<Item>): boolean {
    if (link.list === undefined) return false;
    line.items.remove(link);
    this.#size -= 1;
    this.#rank(line);
    return true;
  }

  /** Everybody, in no order that means anything. */
  *[Symbol.iterator](): Generator<Item> {
    for (const { items } of this.#byUser.values()) {
      for (let link = items.first; link !== undefined; link = link.after) yield link.item;
    }
  }

  #open(user: string): Line<Item> {
    const line = { user, items: new Linked<Item>() } as Line<Item>;
    line.turn = this.#turns.push(line);
    line.rank = this.#rankOf(0).push(line);
    this.#byUser.set(user, line);
    return line;
  }

  /** One item came to this line, or left it. */
  #rank(line: Line<Item>): void {
    line.rank.list?.remove(line.rank);
    const { size } = line.items;
    if (size === 0) {
      this.#turns.remove(line.turn);
      this.#byUser.delete(line.user);
    } else line.rank = this.#rankOf(size).push(line);
    // A line grows and shrinks by one at a time, and so does the longest.
    if (size > this.#longest) this.#longest = size;
    else if (this.#rankOf(this.#longest).size === 0) this.#longest -= 1;
  }

  #rankOf(length: number): Linked<Line<Item>> {
    this.#ranks[length] ??= new Linked();
    return this.#ranks[length];
  }
}
