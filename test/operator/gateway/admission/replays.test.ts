import { expect } from 'chai';
import fc from 'fast-check';
import { Replays, type Ticket } from '../../../../operator/gateway/admission/replays.ts';

describe('operator/gateway/admission/replays', () => {
  const enter = (replays: Replays, count: number) => Array.from({ length: count }, () => replays.enter('c1'));
  const replayed = (tickets: readonly Ticket[]) => tickets.filter((ticket) => ticket.replay()).length;

  it('lets 3 be sent again however few there are', () => {
    expect(replayed(enter(new Replays(), 1))).to.equal(1);
    expect(replayed(enter(new Replays(), 10))).to.equal(3);
  });

  it('lets a fifth of many be sent again', () => {
    expect(replayed(enter(new Replays(), 100))).to.equal(20);
  });

  it('lets each be sent again once at a time', () => {
    const [ticket] = enter(new Replays(), 1);
    expect([ticket?.replay(), ticket?.replay()]).to.deep.equal([true, false]);
  });

  it('counts a replay no more whose answer began, or that is over', () => {
    const tickets = enter(new Replays(), 6);
    expect(replayed(tickets)).to.equal(3);
    tickets[0]?.hear('answered');
    tickets[1]?.leave();
    expect(replayed(tickets.slice(3))).to.equal(2);
  });

  it('counts each tunnel for itself, and keeps nothing of one at which nothing runs', () => {
    const replays = new Replays();
    const tickets = [...enter(replays, 4), replays.enter('c2')];
    expect(replayed(tickets)).to.equal(4);
    expect(replays.size).to.equal(2);
    for (const ticket of tickets) ticket.leave();
    expect(replays.size).to.equal(0);
  });

  it('property: never more replays at once than a fifth, or 3, of what is in flight when they begin', () => {
    const step = fc.record({ what: fc.constantFrom('enter', 'replay', 'answered', 'leave'), at: fc.nat(60) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
        const crowd = new Crowd();
        for (const each of steps) crowd.step(each);
        crowd.end();
      }),
    );
  });
});

/** Requests of one tunnel, and which of them are replays. */
class Crowd {
  readonly #replays = new Replays();
  readonly #inFlight: Ticket[] = [];
  readonly #replaying = new Set<Ticket>();

  step({ what, at }: { readonly what: string; readonly at: number }): void {
    const ticket = this.#inFlight[at % Math.max(1, this.#inFlight.length)];
    if (what === 'enter' || ticket === undefined) this.#inFlight.push(this.#replays.enter('c1'));
    else if (what === 'replay') this.#replay(ticket);
    else this.#release(ticket, what === 'leave');
  }

  end(): void {
    for (const ticket of this.#inFlight) ticket.leave();
    expect(this.#replays.size).to.equal(0);
  }

  #replay(ticket: Ticket): void {
    if (!ticket.replay()) return;
    this.#replaying.add(ticket);
    expect(this.#replaying.size).to.be.at.most(Math.max(3, this.#inFlight.length * 0.2));
  }

  #release(ticket: Ticket, isOver: boolean): void {
    this.#replaying.delete(ticket);
    if (!isOver) return ticket.hear('answered');
    ticket.leave();
    this.#inFlight.splice(this.#inFlight.indexOf(ticket), 1);
  }
}
