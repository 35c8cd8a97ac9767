import type { ServerResponse } from 'node:http';
import { Registry } from 'prom-client';
import { gaugesOf } from '../../../agent/gauges.ts';
import { AgentMetrics } from '../../../agent/metrics.ts';
import { gatewayMeter, refusalCounter, registerGatewayMetrics } from '../../../operator/gateway/metrics.ts';
import { until } from '../../support/turns.ts';
import type { BrokenPathOptions } from '../broken-path.ts';
import { FaultStage } from '../fault-stage.ts';
import { StuckTransport } from './stuck-transport.ts';

/** Values of series, as /metrics of gateway and agent say them: `name{label="value"}`. */
export type Levels = Readonly<Record<string, number>>;

/** Everything between client and target, and what the metrics of both ends tell of it. */
export class CrossedPath {
  readonly stage: FaultStage;
  readonly #registry: Registry;
  readonly #agentMetrics: AgentMetrics;
  readonly #transports: StuckTransport[];
  readonly #answering: ServerResponse[] = [];
  readonly #closers: (() => void)[] = [];
  /** What the metrics told while the limit was crossed. */
  noted: Levels = {};

  private constructor(
    stage: FaultStage,
    { registry, agentMetrics }: { readonly registry: Registry; readonly agentMetrics: AgentMetrics },
    transports: StuckTransport[],
  ) {
    this.stage = stage;
    this.#registry = registry;
    this.#agentMetrics = agentMetrics;
    this.#transports = transports;
  }

  static async start(options: BrokenPathOptions = {}): Promise<CrossedPath> {
    const registry = new Registry();
    const transports: StuckTransport[] = [];
    const gauges = () => {
      const { agent, dialer } = stage.path;
      const { pools, budget, upstream, server } = agent;
      return { ...gaugesOf({ dialer, pools, budget, upstream }), starvedMs: server.starvedMs };
    };
    const agentMetrics = new AgentMetrics(gauges);
    const stage: FaultStage = await FaultStage.start({
      ...options,
      meter: gatewayMeter(registry, () => ['c1']),
      onRefused: refusalCounter(registry),
      onExchangeEnd: (end, workedMs) => agentMetrics.exchangeEnded(end, workedMs),
      onDialed: (result) => agentMetrics.dialed(result),
      tap: (inner) => {
        const transport = new StuckTransport(inner);
        transports.push(transport);
        return transport;
      },
    });
    registerGatewayMetrics(registry, stage.path.gateway.gateway);
    return new CrossedPath(stage, { registry, agentMetrics }, transports);
  }

  /** Time goes by. */
  advance(ms: number): void {
    this.stage.path.gateway.clock.advance(ms);
  }

  /** Nothing that the agent sends leaves it any more, on the connections that there are. */
  stick(): void {
    for (const transport of this.#transports) transport.isStuck = true;
  }

  /** Remembers what the metrics tell now. */
  async note(): Promise<void> {
    this.noted = await this.levels();
  }

  /** What the metrics tell now. */
  async levels(): Promise<Levels> {
    const { body } = await this.#agentMetrics.render();
    const lines = `${await this.#registry.metrics()}\n${body}`.split('\n').filter((line) => /^\w/.test(line));
    return Object.fromEntries(lines.map((line) => [beforeLast(line), Number(line.slice(line.lastIndexOf(' ')))]));
  }

  /** The target begins to answer, and ends when it is told to. */
  holdAnswers(): void {
    this.stage.path.upstream.answer = (_, response) => {
      response.flushHeaders();
      this.#answering.push(response);
    };
  }

  /** All held answers end, and those of who waits for their place. */
  async endAll(): Promise<void> {
    await until(() => {
      for (const response of this.#answering.splice(0)) response.end('whole');
      return this.stage.path.gateway.counts.requests === 0;
    });
  }

  /** Called when the path stops. */
  defer(close: () => void): void {
    this.#closers.push(close);
  }

  /** Clients go away; resolves with what the metrics tell when nothing of any request is left. */
  async quiet(): Promise<Levels> {
    const { gateway, agent } = this.stage.path;
    this.stage.leave();
    await until(() => gateway.isQuiet && agent.busy === 0 && agent.budget.usedBytes === 0);
    return this.levels();
  }

  /** The agent goes away too; resolves with what the metrics tell then. */
  async gone(): Promise<Levels> {
    const { gateway, relay, dialer } = this.stage.path;
    await relay.cut();
    await until(() => dialer.sessions.size === 0 && gateway.counts.connections === 0);
    return this.levels();
  }

  async stop(): Promise<void> {
    for (const close of this.#closers) close();
    try {
      await this.stage.stop();
    } finally {
      this.#agentMetrics.close();
    }
  }
}

/** The series of a line of /metrics. */
function beforeLast(line: string): string {
  return line.slice(0, line.lastIndexOf(' '));
}
