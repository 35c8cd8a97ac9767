import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { expect } from 'chai';
import type { CutPlan } from '../../../hack/faults/cut-plan.ts';
import { CuttingRelay } from '../../../hack/faults/cutting-relay.ts';

const PLAN: CutPlan = {
  from: 'agent',
  afterBytes: 5,
  how: 'fin',
  isAgentFirst: true,
  lagMs: 0,
  greetedMs: 60_000,
  ungreetedMs: 60_000,
};

/** What one side of a connection saw, in order. */
class Side {
  readonly socket: Socket;
  text = '';
  readonly closed: Promise<string>;

  constructor(socket: Socket) {
    this.socket = socket;
    let end = 'nothing';
    socket.on('data', (chunk) => {
      this.text += chunk.toString();
    });
    socket.on('end', () => {
      end = 'fin';
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      end = error.code ?? error.message;
    });
    this.closed = new Promise((resolve) => socket.once('close', () => resolve(end)));
  }

  async said(text: string): Promise<void> {
    while (this.text !== text) await once(this.socket, 'data');
  }
}

describe('hack/faults/cutting-relay', () => {
  let server: Server;
  let relay: CuttingRelay;
  let plans: (CutPlan | undefined)[] = [];
  const cuts: number[] = [];

  beforeEach(async () => {
    server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    cuts.length = 0;
    relay = await CuttingRelay.open({
      targetPort: (server.address() as AddressInfo).port,
      nextCut: () => plans.shift(),
      onCut: (_, passedBytes) => cuts.push(passedBytes),
    });
  });

  afterEach(() => {
    relay.close();
    server.close();
  });

  /** Both ends of a connection through the relay. */
  async function joined(...next: (CutPlan | undefined)[]): Promise<{ agent: Side; gateway: Side }> {
    plans = next;
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const agent = new Side(connect(Number(new URL(relay.url).port), '127.0.0.1'));
    return { agent, gateway: new Side((await accepted)[0]) };
  }

  it('lets so many bytes pass and ends both sides before the next', async () => {
    const { agent, gateway } = await joined(PLAN);
    agent.socket.write('1234567');
    expect(await gateway.closed).to.equal('fin');
    expect(await agent.closed).to.equal('fin');
    expect(gateway.text).to.equal('12345');
    expect(cuts).to.deep.equal([5]);
  });

  it('counts one way only', async () => {
    const { agent, gateway } = await joined({ ...PLAN, from: 'gateway', afterBytes: 2 });
    agent.socket.write('1234567');
    await gateway.said('1234567');
    gateway.socket.write('abc');
    await agent.closed;
    expect(agent.text).to.equal('ab');
  });

  it('resets both sides, or tells the gateway nothing', async () => {
    const reset = await joined({ ...PLAN, how: 'rst' });
    reset.agent.socket.write('123456');
    expect(await reset.agent.closed).to.equal('ECONNRESET');
    await reset.gateway.closed;

    const half = await joined({ ...PLAN, how: 'half' });
    half.agent.socket.write('123456');
    expect(await half.agent.closed).to.equal('ECONNRESET');
    expect(half.gateway.socket.destroyed).to.equal(false);
    // What the gateway says goes nowhere, and its own end is its own.
    half.gateway.socket.end('too late');
    await half.gateway.closed;
  });

  it('cuts after the time of the plan though nobody says a word', async () => {
    const { agent } = await joined({ ...PLAN, ungreetedMs: 1 });
    await agent.closed;
    expect(cuts).to.deep.equal([0]);
  });

  it('cuts after the time of the plan when it has greeted', async () => {
    const { agent, gateway } = await joined({ ...PLAN, from: 'gateway', greetedMs: 1 });
    agent.socket.write('x'.repeat(4_000));
    await gateway.closed;
    expect(cuts).to.deep.equal([4_000]);
  });

  it('dooms connections that were there before, and spares those that are there', async () => {
    const { agent, gateway } = await joined(undefined, PLAN);
    agent.socket.write('123456789');
    await gateway.said('123456789');
    relay.begin();
    relay.spare();
    agent.socket.write('0123456789');
    await gateway.said('1234567890123456789');
    plans = [PLAN];
    relay.begin();
    agent.socket.write('abcdefgh');
    await gateway.closed;
    expect(gateway.text).to.equal('1234567890123456789abcde');
  });
});
