import { parseAgentToken, tokenMatches } from '../../../crds/agent-token.ts';
import { type Controller, createController } from '../../../operator/controller/controller.ts';
import type { SessionFacts } from '../../../operator/controller/status/observe.ts';
import { createClient } from '../../../operator/kube/client.ts';
import { remoteTransport } from '../../../operator/kube/remote-transport.ts';
import type { Transport } from '../../../operator/kube/transport.ts';
import type { Clock } from '../../../process/clock.ts';
import { silentLogger } from '../../../process/log.ts';
import { type Chaos, Life, type Moment } from './chaos.ts';
import { Watched } from './watched.ts';

export const OPERATOR_NAMESPACE = 'clustertunnel-system';
export const AGENT_NAMESPACE = 'clustertunnel-agent';

export interface OperatorOptions {
  /** To the hub. */
  readonly transport: Transport;
  readonly chaos: Chaos;
  readonly clock: Clock;
  readonly sessions: () => SessionFacts;
}

/** The controller with its caches and everything that it keeps in memory, as one process. */
export class OperatorProcess {
  readonly life = new Life();
  /** What it was told of the hub. */
  readonly hub = new Watched();
  /** What it was told of the remote cluster. */
  readonly remote = new Watched();
  readonly #controller: Controller;
  readonly #chaos: Chaos;
  readonly #ended = new Set<(outcome: string) => void>();
  #begun = 0;

  constructor({ transport, chaos, clock, sessions }: OperatorOptions) {
    this.#chaos = chaos;
    this.#controller = createController({
      client: createClient(chaos.wrap(transport, 'hub', this.life, this.hub)),
      connect: (kubeconfig) => chaos.wrap(remoteTransport(kubeconfig, clock), 'remote', this.life, this.remote),
      clock,
      log: silentLogger,
      events: { record: () => {} },
      sessions,
      config: {
        namespace: OPERATOR_NAMESPACE,
        externalUrl: 'https://gateway.example:8443',
        agentImage: 'clustertunnel:test',
        caBundle: () => 'CA',
        defaultAgentNamespace: AGENT_NAMESPACE,
      },
      observer: {
        queue: {
          taken: () => {
            this.#begun++;
          },
        },
        reconciled: (outcome) => {
          for (const hear of [...this.#ended]) hear(outcome);
        },
      },
    });
  }

  /** Rejects when it dies before its caches are complete. */
  start(): Promise<void> {
    return Promise.race([this.#controller.start(), rejectionOf(this.life.signal)]);
  }

  /** Whether the gateway lets in who shows this token. */
  accepts(token: string): boolean {
    const key = this.#controller.findAgentKey(parseAgentToken(token)?.keyId ?? '');
    return key !== undefined && tokenMatches(token, key.sha256);
  }

  enqueue(tunnel: string): void {
    this.#controller.enqueue(tunnel);
  }

  /** The outcome of a reconcile that begins after this call; undefined when the signal aborts or the process dies first. */
  reconcileAnew(tunnel: string, signal: AbortSignal): Promise<string | undefined> {
    const either = AbortSignal.any([signal, this.life.signal]);
    const begunBefore = this.#begun;
    const ended = new Promise<string | undefined>((resolve) => {
      const finish = (outcome: string | undefined) => {
        this.#ended.delete(hear);
        either.removeEventListener('abort', abandon);
        resolve(outcome);
      };
      // There is one tunnel, so one reconcile at a time: the last that began is the one that ends.
      const hear = (outcome: string) => {
        if (this.#begun > begunBefore) finish(outcome);
      };
      const abandon = () => finish(undefined);
      this.#ended.add(hear);
      either.addEventListener('abort', abandon);
      if (either.aborted) abandon();
    });
    this.enqueue(tunnel);
    return ended;
  }

  doom(death: Moment): void {
    this.life.doom(death);
  }

  /** From one moment to the next: no call of it is heard any more, and none is answered. */
  async kill(): Promise<void> {
    this.life.end();
    await this.#controller.stop();
    this.#chaos.vacate();
  }

  /** As told by a SIGTERM. */
  async stop(): Promise<void> {
    await this.#controller.stop();
    this.life.end();
  }
}

function rejectionOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
