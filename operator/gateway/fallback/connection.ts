import type { Clock } from '../../../process/clock.ts';
import type { ForwardContext } from '../../../upstream/exchange-options.ts';
import { Upstream } from '../../../upstream/upstream.ts';
import type { FallbackTarget } from './target.ts';

type Timeouts = ReturnType<ForwardContext['timeouts']>;

/** Connections to one target with one credential: they close when nothing runs on them and nothing will. */
export class Connection {
  readonly target: FallbackTarget;
  readonly context: ForwardContext;
  readonly #upstream: Upstream;
  #running = 0;
  #isRetired = false;

  constructor(target: FallbackTarget, timeouts: () => Timeouts, clock: Clock) {
    const { server: url, caPem: ca, tlsServerName: serverName, token, certificatePem: cert, keyPem: key } = target;
    const certificate = cert === undefined || key === undefined ? undefined : { cert, key };
    const { connectMs } = timeouts();
    this.target = target;
    this.#upstream = new Upstream({ url, ca, serverName, certificate, connectMs, clock });
    this.context = {
      upstream: this.#upstream,
      token: async () => token,
      credential: "the kubeconfig's credential",
      onUnauthorized: () => {
        // The Secret is watched: a new credential comes by itself.
      },
      clock,
      timeouts,
    };
  }

  reconfigure(connectMs: number): void {
    this.#upstream.reconfigure({ connectMs });
  }

  began(): void {
    this.#running += 1;
  }

  ended(): void {
    this.#running -= 1;
    this.#closeIfDone();
  }

  /** Nothing begins on it any more; what runs goes on. */
  retire(): void {
    this.#isRetired = true;
    this.#closeIfDone();
  }

  /** Cuts what runs. */
  close(): Promise<void> {
    return this.#upstream.close();
  }

  #closeIfDone(): void {
    // Nothing runs on it: there is nothing that could fail.
    if (this.#isRetired && this.#running === 0) void this.#upstream.close();
  }
}
