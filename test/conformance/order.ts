import { expect } from 'chai';
import fc from 'fast-check';
import { ErrorCode } from '../../tunnel/wire/codes.ts';
import { turn } from '../support/transport-pair.ts';
import { joined } from './exchange.ts';
import { type AgentEnd, expectNothingLeft, type GatewayEnd, type Line, OK, type Owner } from './harness.ts';

const STREAMS = 4;

type Kind = 'up' | 'down' | 'readUp' | 'readDown' | 'endUp' | 'endDown' | 'cancel' | 'abort' | 'turn';
interface Step {
  readonly kind: Kind;
  readonly who: number;
  readonly bytes: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom<Kind>(
    'up',
    'down',
    'readUp',
    'readDown',
    'endUp',
    'endDown',
    'cancel',
    'abort',
    'turn',
    'turn',
  ),
  who: fc.nat(STREAMS - 1),
  bytes: fc.oneof(fc.nat(100), fc.nat(60_000)),
});

/** One stream with both its owners and what was written into it. */
class Exchange {
  readonly client: Owner;
  readonly server: Owner;
  up = '';
  down = '';
  /** Written before the half ended: a clean end must deliver all of it. */
  #isUpOver = false;
  #isDownOver = false;

  constructor(client: Owner, server: Owner) {
    this.client = client;
    this.server = server;
  }

  run({ kind, bytes }: Step): void {
    const { client, server } = this;
    const actions: Record<Kind, () => void> = {
      up: () => {
        if (!this.#isUpOver) this.up += write(client, this.up.length, bytes);
      },
      down: () => {
        if (!this.#isDownOver) this.down += write(server, this.down.length, bytes);
      },
      readUp: () => server.stream.consume(Math.min(bytes, server.stream.bufferedBytes)),
      readDown: () => client.stream.consume(Math.min(bytes, client.stream.bufferedBytes)),
      endUp: () => {
        this.#isUpOver = true;
        client.stream.end();
      },
      endDown: () => {
        this.#isDownOver = true;
        server.stream.end();
      },
      cancel: () => client.stream.reset(ErrorCode.Cancel),
      abort: () => server.stream.reset(ErrorCode.UpstreamReset),
      turn: () => {},
    };
    actions[kind]();
  }
}

/** Writes recognisable bytes. */
function write(owner: Owner, at: number, bytes: number): string {
  const text = Array.from({ length: bytes }, (_, index) => String.fromCharCode((at + index) % 251)).join('');
  owner.stream.write(Buffer.from(text, 'latin1'));
  return text;
}

/** Any interleaving keeps order and balance. */
export function describeOrder(pair: () => Promise<Line>): void {
  describe('order', () => {
    it('property: each stream delivers a prefix of what was written, closes once, and leaves the budget whole', async function () {
      this.timeout(20_000);
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), fc.boolean(), async (steps, isCut) => {
          const { line, gateway, agent } = await joined(pair);
          const exchanges = await opened(line, gateway, agent);
          await play(steps, exchanges);
          if (isCut) line.drop();
          else await finish(line, exchanges);
          await line.settle();
          exchanges.forEach(expectInOrder);
          gateway.gateway.session.close(ErrorCode.None, 'done');
          await line.settle();
          const closes = exchanges.map(({ client, server }) => [client.closes, server.closes]);
          expect(closes, 'closed exactly once').to.deep.equal(Array(STREAMS).fill([1, 1]));
          // Streams that closed with bytes nobody read keep their reserve for their owner to drop.
          for (const { client, server } of exchanges)
            for (const each of [client, server]) each.stream.reset(ErrorCode.Cancel);
          expectNothingLeft(gateway, agent);
        }),
        { numRuns: 60 },
      );
    });
  });
}

async function play(steps: readonly Step[], exchanges: readonly Exchange[]): Promise<void> {
  for (const each of steps) {
    exchanges[each.who]?.run(each);
    if (each.kind === 'turn') await turn();
  }
}

async function opened(line: Line, gateway: GatewayEnd, agent: AgentEnd): Promise<Exchange[]> {
  agent.serve = (owner) => {
    owner.isReading = false;
    owner.stream.sendHead(OK);
  };
  const clients = Array.from({ length: STREAMS }, () => gateway.open());
  for (const client of clients) client.isReading = false;
  await line.settle();
  return clients.flatMap((client, index) => {
    const server = agent.owners[index];
    return server === undefined ? [] : [new Exchange(client, server)];
  });
}

/** Ends every half and reads everything: then all that was written before an end must arrive. */
async function finish(line: Line, exchanges: readonly Exchange[]): Promise<void> {
  for (const { client, server } of exchanges) {
    client.stream.end();
    server.stream.end();
    for (const owner of [client, server]) {
      owner.isReading = true;
      owner.read();
    }
  }
  await line.settle();
}

function expectInOrder({ client, server, up, down }: Exchange): void {
  expect(up.startsWith(server.text), 'request bytes are a prefix').to.equal(true);
  expect(down.startsWith(client.text), 'response bytes are a prefix').to.equal(true);
  for (const owner of [client, server]) {
    expect(owner.ends).to.be.at.most(1);
    expect(owner.errors.length).to.be.at.most(1);
    // onEnd means that all came, whatever happened to the other half later.
    if (owner.ends === 1) expect(owner.text.length).to.equal((owner === client ? down : up).length);
  }
}
