import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { type CutPlan, GREETING_BYTES } from './cut-plan.ts';

/** A side that was told nothing is reset after so long, should it not have noticed by itself. */
const HALF_OPEN_MS = 20_000;

export interface CuttingRelayOptions {
  /** On loopback. */
  readonly targetPort: number;
  /** For the next connection; undefined: it may stay. */
  readonly nextCut: () => CutPlan | undefined;
  /** Right before a connection is cut. `passedBytes`: both ways. */
  readonly onCut: (plan: CutPlan, passedBytes: number) => void;
}

/** A way to the gateway on which every connection ends as planned. */
export class CuttingRelay {
  readonly #options: CuttingRelayOptions;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();

  private constructor(options: CuttingRelayOptions) {
    this.#options = options;
    this.#server = createServer((agent) => this.#accept(agent));
  }

  static async open(options: CuttingRelayOptions): Promise<CuttingRelay> {
    const relay = new CuttingRelay(options);
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Connections that are open get their plans now. */
  begin(): void {
    for (const connection of this.#connections) connection.doom(this.#options.nextCut());
  }

  /** Open connections stay from now on. */
  spare(): void {
    for (const connection of this.#connections) connection.spare();
  }

  close(): void {
    this.#server.close();
    for (const connection of this.#connections) connection.end();
  }

  #accept(agent: Socket): void {
    const { targetPort, nextCut, onCut } = this.#options;
    const connection = new Connection({
      agent,
      gateway: connect({ host: '127.0.0.1', port: targetPort }),
      onCut,
      onEnd: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
    connection.doom(nextCut());
  }
}

interface ConnectionOptions extends Pick<CuttingRelayOptions, 'onCut'> {
  readonly agent: Socket;
  readonly gateway: Socket;
  readonly onEnd: () => void;
}

/** One agent's connection and the relay's own to the gateway. */
class Connection {
  readonly #options: ConnectionOptions;
  #plan: CutPlan | undefined;
  #passed = { agent: 0, gateway: 0 };
  #hasGreeted = false;
  #isCut = false;
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(options: ConnectionOptions) {
    const { agent, gateway } = options;
    this.#options = options;
    this.#pass('agent', agent, gateway);
    this.#pass('gateway', gateway, agent);
  }

  /** What passed before does not count. */
  doom(plan: CutPlan | undefined): void {
    if (plan === undefined || this.#plan !== undefined) return;
    this.#plan = plan;
    this.#passed = { agent: 0, gateway: 0 };
    this.#hasGreeted = false;
    this.#later(plan.ungreetedMs, () => this.#cut());
  }

  spare(): void {
    if (!this.#isCut) this.#plan = undefined;
  }

  end(): void {
    this.#options.agent.destroy();
    this.#options.gateway.destroy();
  }

  #pass(side: 'agent' | 'gateway', from: Socket, to: Socket): void {
    from.setNoDelay(true);
    from.on('data', (chunk: Buffer) => {
      if (this.#isCut) return; // nothing passes, nothing is kept
      const left = this.#leftOf(side);
      const passing = chunk.subarray(0, left);
      this.#count(side, passing.length);
      if (!to.write(passing)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
      if (passing.length < chunk.length) this.#cut();
    });
    from.on('error', () => {}); // the other side hears of it on 'close'
    from.once('close', () => {
      if (!this.#isCut) to.destroy();
      if (to.destroyed) this.#over();
    });
  }

  #count(side: 'agent' | 'gateway', bytes: number): void {
    this.#passed[side] += bytes;
    if (this.#hasGreeted || this.#plan === undefined || this.#passedBytes < GREETING_BYTES) return;
    this.#hasGreeted = true;
    this.#later(this.#plan.greetedMs, () => this.#cut());
  }

  get #passedBytes(): number {
    return this.#passed.agent + this.#passed.gateway;
  }

  /** Bytes of this side that may still pass. */
  #leftOf(side: 'agent' | 'gateway'): number {
    const plan = this.#plan;
    return plan?.from === side ? plan.afterBytes - this.#passed[side] : Number.POSITIVE_INFINITY;
  }

  #cut(): void {
    const { onCut, agent, gateway } = this.#options;
    const plan = this.#plan;
    if (this.#isCut || plan === undefined || agent.destroyed || gateway.destroyed) return;
    this.#isCut = true;
    onCut(plan, this.#passedBytes);
    const [first, second] = plan.isAgentFirst || plan.how === 'half' ? [agent, gateway] : [gateway, agent];
    tellEnd(first, plan.how);
    if (plan.how === 'half') this.#later(HALF_OPEN_MS, () => gateway.resetAndDestroy());
    else this.#later(plan.lagMs, () => tellEnd(second, plan.how));
  }

  #later(delayMs: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, delayMs);
    this.#timers.add(timer);
  }

  #over(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#options.onEnd();
  }
}

/** What was written before still arrives before a FIN; after a RST it may not. */
function tellEnd(socket: Socket, how: CutPlan['how']): void {
  if (how !== 'fin') return void socket.resetAndDestroy();
  socket.end();
  // Whoever does not answer a FIN is gone a moment later.
  setTimeout(() => socket.destroy(), 200).unref();
}
