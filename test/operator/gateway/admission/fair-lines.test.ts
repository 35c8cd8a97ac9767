import { expect } from 'chai';
import fc from 'fast-check';
import { FairLines, type Standing } from '../../../../operator/gateway/admission/fair-lines.ts';

interface Item {
  readonly name: string;
}

describe('operator/gateway/admission/fair-lines', () => {
  let lines: FairLines<Item>;
  let standings: Map<Item, Standing<Item>>;
  beforeEach(() => {
    lines = new FairLines();
    standings = new Map();
  });

  const add = (user: string, name = user): Item => {
    const item = { name };
    standings.set(item, lines.add(user, item));
    return item;
  };
  const serve = (): string | undefined => {
    const item = lines.next();
    const standing = item === undefined ? undefined : standings.get(item);
    if (standing !== undefined) lines.serve(standing);
    return item?.name;
  };
  const leave = (item: Item) => lines.remove(standings.get(item) as Standing<Item>);

  it('serves one of a thousand, then the one of who has one', () => {
    for (let at = 0; at < 1_000; at++) add('many', `many-${at}`);
    add('one');
    expect([serve(), serve(), serve()]).to.deep.equal(['many-0', 'one', 'many-1']);
  });

  it('serves users of equal demand equally often, whenever it is looked', () => {
    const served = new Map<string, number>();
    for (let at = 0; at < 300; at++) for (const user of ['a', 'b', 'c', 'd', 'e']) add(user);
    for (let step = 0; step < 1_000; step++) {
      const user = serve() ?? '';
      served.set(user, (served.get(user) ?? 0) + 1);
      if (step < 5) continue;
      const counts = [...served.values()];
      expect(Math.max(...counts) - Math.min(...counts)).to.be.at.most(1);
    }
  });

  it('gives who comes back his next turn after all others', () => {
    for (const user of ['a', 'b', 'c']) for (let at = 0; at < 2; at++) add(user);
    expect(serve()).to.equal('a');
    add('d');
    expect([serve(), serve(), serve(), serve()]).to.deep.equal(['b', 'c', 'a', 'd']);
  });

  it('leaves the turn to the next of a line whose first went away', () => {
    const first = add('a', 'a-0');
    add('a', 'a-1');
    add('b');
    expect([leave(first), leave(first)]).to.deep.equal([true, false]);
    expect([serve(), serve(), serve()]).to.deep.equal(['a-1', 'b', undefined]);
  });

  it('names the newest of the longest line', () => {
    expect(lines.newestOfLongest()).to.equal(undefined);
    for (const name of ['a-0', 'a-1', 'a-2']) add('a', name);
    for (const name of ['b-0', 'b-1']) add('b', name);
    expect([lines.longest, lines.newestOfLongest()?.name]).to.deep.equal([3, 'a-2']);
    serve();
    serve();
    serve();
    expect([lines.longest, lines.lengthOf('a'), lines.lengthOf('b')]).to.deep.equal([1, 1, 1]);
  });

  it('property: as a list that is searched at every step', () => {
    const user = fc.constantFrom('a', 'b', 'c', 'd');
    const step = fc.oneof(fc.record({ add: user }), fc.record({ leave: fc.nat(60) }), fc.constant('serve' as const));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        lines = new FairLines();
        standings = new Map();
        const naive = new NaiveLines();
        const items: Item[] = [];
        const take = (each: (typeof steps)[number]) => {
          if (each === 'serve') return expect(serve()).to.equal(naive.serve());
          if ('leave' in each) {
            const item = items[each.leave];
            return item === undefined || expect(leave(item)).to.equal(naive.leave(item.name));
          }
          const item = add(each.add, `${each.add}-${items.length}`);
          naive.add(each.add, item.name);
          return items.push(item);
        };
        for (const each of steps) {
          take(each);
          expect([lines.size, lines.longest]).to.deep.equal([naive.size, naive.longest]);
          expect([...lines].map(({ name }) => name).sort()).to.deep.equal(naive.names.sort());
          expect(naive.newestOfLongest).to.include(lines.newestOfLongest()?.name ?? '');
        }
      }),
    );
  });
});

/** The same in the simplest words. */
class NaiveLines {
  readonly #lines: { user: string; names: string[] }[] = [];

  get names(): string[] {
    return this.#lines.flatMap(({ names }) => names);
  }

  get size(): number {
    return this.names.length;
  }

  get longest(): number {
    return Math.max(0, ...this.#lines.map(({ names }) => names.length));
  }

  get newestOfLongest(): string[] {
    const { longest } = this;
    return longest === 0
      ? ['']
      : this.#lines.filter(({ names }) => names.length === longest).map(({ names }) => names.at(-1) ?? '');
  }

  add(user: string, name: string): void {
    const line = this.#lines.find((each) => each.user === user);
    if (line === undefined) this.#lines.push({ user, names: [name] });
    else line.names.push(name);
  }

  serve(): string | undefined {
    const line = this.#lines.shift();
    const name = line?.names.shift();
    if (line !== undefined && line.names.length > 0) this.#lines.push(line);
    return name;
  }

  leave(name: string): boolean {
    const line = this.#lines.find(({ names }) => names.includes(name));
    if (line === undefined) return false;
    line.names.splice(line.names.indexOf(name), 1);
    if (line.names.length === 0) this.#lines.splice(this.#lines.indexOf(line), 1);
    return true;
  }
}
