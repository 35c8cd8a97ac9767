import { expect } from 'chai';
import { Budget } from '../../../tunnel/flow/budget.ts';
import { ErrorCode } from '../../../tunnel/wire/codes.ts';
import { INITIAL_WINDOW_BYTES } from '../../../tunnel/wire/limits.ts';
import { AgentEnd, GatewayEnd, OK, type Owner } from '../../conformance/harness.ts';
import { CreditLedger } from '../../support/credit-ledger.ts';
import { type TransportPair, transportPair } from '../../support/transport-pair.ts';

const SLOTS = { ordinary: 64, longRunning: 64 };

/** One direction of one stream: who sends, who receives, what the receiver has taken, and of that not given back. */
export interface Direction {
  readonly sender: Owner;
  readonly receiver: Owner;
  readonly ledger: CreditLedger;
  takenBytes: number;
  unsentBytes: number;
}

interface Limits {
  readonly budgetBytes: number;
  readonly maxWindowBytes: number;
  readonly maxStreams: number;
}

/** Two sessions whose every byte of credit is accounted for. */
export class CreditWorld {
  readonly pair: TransportPair = transportPair();
  readonly gateway: GatewayEnd;
  readonly agent: AgentEnd;
  /** Every direction of every stream that the agent has seen. */
  readonly directions: Direction[] = [];
  readonly #clients: Owner[] = [];
  readonly #up = new CreditLedger();
  readonly #down = new CreditLedger();
  /** Streams whose bytes nobody will take any more: they hold no budget. */
  readonly #dropped = new Set<Owner>();
  largestWindowBytes = 0;
  /** Windows that gave growth back while their stream lived. */
  shrinks = 0;

  constructor() {
    const options = () => ({ budget: new Budget(64 * 1024 * 1024), hello: { slots: SLOTS } });
    this.gateway = new GatewayEnd(this.#up.sending(this.#down.receiving(this.pair.left)), options());
    this.agent = new AgentEnd(this.#down.sending(this.#up.receiving(this.pair.right)), options());
    this.#up.watch(this.agent.agent.session.writer);
    this.#down.watch(this.gateway.gateway.session.writer);
    this.agent.serve = (server) => this.#serve(server);
  }

  /** Directions of streams that are open at both ends. */
  get live(): Direction[] {
    return this.directions.filter(({ sender, receiver }) => [sender, receiver].every((owner) => this.#isLive(owner)));
  }

  open(isEnd: boolean, isLongRunning: boolean): void {
    if (!this.gateway.gateway.hasRoom(isLongRunning ? 'longRunning' : 'ordinary')) return;
    const { budget } = this.gateway;
    if (budget.usedBytes + INITIAL_WINDOW_BYTES > budget.limitBytes) return;
    const client = this.gateway.open({ isLongRunning }, isEnd);
    client.isReading = false;
    this.#clients.push(client);
  }

  /** The receiver takes bytes. */
  consume(direction: Direction, bytes: number): void {
    const { receiver, ledger } = direction;
    const before = receiver.stream.windowBytes;
    const taken = Math.min(bytes, receiver.stream.bufferedBytes);
    ledger.givenBytes = 0;
    receiver.stream.consume(taken);
    direction.takenBytes += taken;
    // A window that shrinks keeps what it would give back, all of it perhaps.
    const isSettled = ledger.givenBytes > 0 || receiver.stream.windowBytes !== before;
    direction.unsentBytes = isSettled ? 0 : direction.unsentBytes + taken;
    if (receiver.stream.windowBytes < before) this.shrinks += 1;
  }

  reset(owner: Owner): void {
    this.#dropped.add(owner);
    owner.stream.reset(ErrorCode.Cancel);
  }

  limit(side: 'gateway' | 'agent', { budgetBytes, maxWindowBytes, maxStreams }: Limits): void {
    const end = this[side];
    const { session } = end instanceof GatewayEnd ? end.gateway : end.agent;
    end.budget.limitBytes = budgetBytes;
    session.settings = { ...session.settings, maxWindowBytes, maxStreams };
  }

  pass(ms: number): void {
    this.gateway.clock.advance(ms);
    this.agent.clock.advance(ms);
  }

  /** Nothing is lost and nothing is made: of no direction that lives, and of neither budget. */
  check(): void {
    for (const direction of this.live) this.#checkDirection(direction);
    this.#checkBudget(this.gateway.budget, this.#clients);
    this.#checkBudget(this.agent.budget, this.agent.owners);
  }

  /** Nothing moves any more, so nothing may be under way. */
  checkArrived(): void {
    for (const { receiver, ledger } of this.live) {
      const { id } = receiver.stream;
      const underWay = [ledger.dataUnderWay(id), receiver.ends > 0 ? 0 : ledger.creditUnderWay(id)];
      expect(underWay, `DATA and credit of stream ${id} that never arrive`).to.deep.equal([0, 0]);
    }
  }

  /** Owners of what is over drop what they have not read. */
  dropAll(): void {
    for (const owner of [...this.#clients, ...this.agent.owners]) this.reset(owner);
  }

  #serve(server: Owner): void {
    server.isReading = false;
    server.stream.sendHead(OK);
    const client = this.#clients.find(({ stream }) => stream.id === server.stream.id);
    if (client === undefined) throw new Error('a stream that nobody opened');
    this.directions.push(
      { sender: client, receiver: server, ledger: this.#up, takenBytes: 0, unsentBytes: 0 },
      { sender: server, receiver: client, ledger: this.#down, takenBytes: 0, unsentBytes: 0 },
    );
  }

  #isLive(owner: Owner): boolean {
    return owner.closes === 0 && !this.#dropped.has(owner);
  }

  #checkDirection({ sender, receiver, ledger, takenBytes, unsentBytes }: Direction): void {
    // After the end no credit goes back: nothing would come of it.
    if (receiver.ends > 0) return;
    const { id, windowBytes } = receiver.stream;
    const bufferedBytes = receiver.bytes - takenBytes;
    expect(receiver.stream.bufferedBytes, `stream ${id} buffers`).to.equal(bufferedBytes);
    const parts = {
      'may still be sent': sender.stream.outbox.window.availableBytes,
      'under way': ledger.dataUnderWay(id),
      buffered: bufferedBytes,
      'taken, not given back': unsentBytes,
      'given back, under way': ledger.creditUnderWay(id),
    };
    const sum = Object.values(parts).reduce((all, part) => all + part, 0);
    expect(sum, `stream ${id}: ${JSON.stringify(parts)}`).to.equal(windowBytes);
    this.largestWindowBytes = Math.max(this.largestWindowBytes, windowBytes);
  }

  #checkBudget(budget: Budget, owners: readonly Owner[]): void {
    let held = 0;
    for (const owner of owners) {
      const isRead = owner.closes > 0 && owner.stream.bufferedBytes === 0;
      const isDropped = this.#dropped.has(owner) || owner.errors.length > 0;
      if (!isRead && !isDropped) held += owner.stream.windowBytes;
    }
    expect(budget.usedBytes, 'budget').to.equal(held);
  }
}
