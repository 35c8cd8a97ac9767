import type { Clock } from '../../../process/clock.ts';
import type { Logger } from '../../../process/log.ts';
import { createClient } from '../../kube/client.ts';
import { UnreachableError } from '../../kube/errors.ts';
import type { KubeObject } from '../../kube/objects.ts';
import { Reachability } from '../../kube/reachability.ts';
import type { Change } from '../../kube/store.ts';
import type { Transport } from '../../kube/transport.ts';
import { ClusterWatches, type Needs } from './cluster-watches.ts';
import type { Cluster } from './clusters.ts';

export interface RemoteClusterOptions {
  readonly id: string;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Logger;
  /** 0 <= random() < 1. */
  readonly random: () => number;
  readonly onChange: (tunnel: string, change: Change<KubeObject>) => void;
  readonly onReachable: (tunnel: string) => void;
}

/** A cluster that a kubeconfig names: its client, its watches, and whether it answers. */
export class RemoteCluster {
  readonly cluster: Cluster;
  readonly #reachability: Reachability;
  readonly #watches: ClusterWatches;

  constructor({ id, transport, clock, log, random, onChange, onReachable }: RemoteClusterOptions) {
    const { server } = transport;
    this.#reachability = new Reachability({
      transport,
      clock,
      random,
      onChange: (silence) => {
        if (silence === undefined) log.info('cluster answers again', { server });
        else log.warn('cluster does not answer', { server, error: silence });
        for (const tunnel of this.#watches.tunnels()) onReachable(tunnel);
      },
    });
    const reachability = this.#reachability;
    this.#watches = new ClusterWatches({
      client: createClient(reachability.watches),
      clock,
      log: quietWhileSilent(log.child({ server }), reachability),
      random,
      isRemote: true,
      onChange,
    });
    this.cluster = {
      id,
      client: createClient(reachability.calls),
      server,
      isRemote: true,
      get unreachable() {
        return reachability.silence;
      },
      deploymentOf: (namespace, name) => this.#watches.deployment(namespace, name),
    };
  }

  keep(needs: Needs): void {
    this.#watches.keep(needs);
  }

  /** Ends watches, calls and connections now. */
  async close(): Promise<void> {
    const stopped = this.#watches.stop();
    await this.#reachability.close(new Error('the kubeconfig was replaced, or no tunnel uses it any more'));
    await stopped;
  }
}

/** That a cluster does not answer is told once, not again and again by each of its watches. */
function quietWhileSilent(log: Logger, reachability: Reachability): Logger {
  const isSilence = (error: unknown) => error instanceof UnreachableError || reachability.silence !== undefined;
  return {
    ...log,
    warn: (message, fields) => log[isSilence(fields?.['error']) ? 'debug' : 'warn'](message, fields),
  };
}
