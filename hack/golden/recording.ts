import { AgentEnd, GatewayEnd, type Owner } from '../../test/conformance/harness.ts';
import {
  framesOf,
  type Message,
  outcomeOf,
  type Page,
  readableFrames,
  type Side,
} from '../../test/support/transcript.ts';
import { transportPair } from '../../test/support/transport-pair.ts';
import type { Transport } from '../../tunnel/session/transport.ts';
import type { Hello } from '../../tunnel/wire/documents.ts';
import type { RequestHead } from '../../tunnel/wire/head.ts';

const HELLO: Hello = {
  versions: [1],
  features: [],
  instanceId: '8f6bb5f4-2a3b-4c62-9f43-a7b1a9a3c001',
  agentVersion: '0.1.0',
  slots: { ordinary: 4, longRunning: 2 },
};
const JANE = { user: 'jane', uid: '7a1c', groups: ['dev', 'system:authenticated'] };
const READ: RequestHead = {
  method: 'GET',
  path: '/api/v1/namespaces/default/pods?limit=500',
  headers: ['Accept', 'application/json', 'accept', 'text/plain', 'X-Empty', ''],
  identity: JANE,
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  deadlineMs: 30_000,
  isLongRunning: false,
  isUpgrade: false,
};
/** Two sessions, and everything that goes between them. */
export class Recording {
  readonly messages: Message[] = [];
  readonly clients: Owner[] = [];
  readonly gateway: GatewayEnd;
  readonly agent: AgentEnd;
  readonly #pair = transportPair();

  constructor(hello: Partial<Hello> = {}) {
    this.gateway = new GatewayEnd(this.#tapped(this.#pair.left, 'gateway'));
    this.agent = new AgentEnd(this.#tapped(this.#pair.right, 'agent'), { hello: { ...HELLO, ...hello } });
  }

  settle(): Promise<void> {
    return this.#pair.settle();
  }

  /** A request that has arrived: its owner at the gateway, and at the agent. */
  async request(head: Partial<RequestHead>, isEnd = true): Promise<{ client: Owner; server: Owner }> {
    const client = this.gateway.open({ ...READ, ...head }, isEnd);
    this.clients.push(client);
    await this.settle();
    return { client, server: this.agent.last };
  }

  /** A frame that only a newer peer would send. */
  async newer(from: Side, hex: string): Promise<void> {
    const end = from === 'gateway' ? this.#pair.left : this.#pair.right;
    this.#tapped(end, from).send(Buffer.from(hex.replaceAll(' ', ''), 'hex'), () => {});
    await this.settle();
  }

  async pass(ms: number): Promise<void> {
    this.gateway.clock.advance(ms);
    this.agent.clock.advance(ms);
    await this.settle();
  }

  page(): Page {
    return {
      messages: this.messages.map(({ from, bytes }) => ({ from, frames: readableFrames(framesOf(bytes)) })),
      outcome: {
        agent: outcomeOf(this.agent.owners, this.agent.ends),
        gateway: outcomeOf(this.clients, this.gateway.ends),
      },
    };
  }

  #tapped(end: Transport, from: Side): Transport {
    return {
      send: (message, written) => {
        this.messages.push({ from, bytes: Buffer.from(message) });
        end.send(message, written);
      },
      listen: (events) => end.listen(events),
      close: (reason) => end.close(reason),
      destroy: () => end.destroy(),
    };
  }
}
