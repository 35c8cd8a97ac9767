import { expect } from 'chai';
import fc from 'fast-check';

export interface StateTable<State extends string, Event extends string> {
  readonly states: readonly State[];
  readonly events: readonly Event[];
  readonly initial: State;
  /** States without a way to another one. */
  readonly terminal: readonly State[];
  /** The state after `event`; undefined: illegal. */
  readonly advance: (state: State, event: Event) => State | undefined;
}

/** What every table of states must be, whatever it is about: total, reachable, closed, and ended where it says. */
export function describeStateTable<State extends string, Event extends string>(table: StateTable<State, Event>): void {
  const { states, events, initial, terminal, advance } = table;
  const exitsOf = (state: State) => events.map((event) => advance(state, event)).filter((next) => next !== undefined);

  it('answers every event in every state with a state of the table, or as illegal', () => {
    for (const state of states) {
      for (const event of events) expect([...states, undefined], `${state} ${event}`).to.include(advance(state, event));
    }
  });

  it('reaches every state from the first', () => {
    const reached = new Set<State>([initial]);
    for (const state of reached) for (const next of exitsOf(state)) reached.add(next);
    expect([...reached]).to.have.members([...states]);
  });

  it('leaves no terminal state, and every other one', () => {
    const stuck = states.filter((state) => exitsOf(state).every((next) => next === state));
    expect(stuck).to.have.members([...terminal]);
  });

  it('can end from every state', () => {
    if (terminal.length === 0) return;
    const ending = new Set<State>(terminal);
    for (let before = 0; before !== ending.size; ) {
      before = ending.size;
      for (const state of states) if (exitsOf(state).some((next) => ending.has(next))) ending.add(state);
    }
    expect([...ending]).to.have.members([...states]);
  });

  it('property: no walk of events leaves the table, and what is illegal changes nothing', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...events), { maxLength: 100, size: 'max' }), (walk) => {
        let state = initial;
        for (const event of walk) {
          const next = advance(state, event);
          expect(advance(state, event), 'always the same answer').to.equal(next);
          if (next !== undefined) state = next;
          expect(states).to.include(state);
        }
      }),
    );
  }).timeout(20_000);
}
