import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TokenProjection, Volume } from '../api/pod.ts';
import { writeVolume } from './atomic-writer.ts';
import { ConfigError } from './config-error.ts';
import type { PodFacts } from './downward.ts';
import type { NodeContext } from './node-context.ts';
import { PodTokens } from './pod-tokens.ts';
import { isProjected, volumeFiles } from './volume-files.ts';

/** The folders of one pod's volumes, and what keeps them current. */
export class PodVolumes {
  readonly #context: NodeContext;
  readonly #folder: string;
  readonly #facts: () => PodFacts;
  readonly #tokens: PodTokens;
  readonly #projections: readonly TokenProjection[];

  constructor(context: NodeContext, folder: string, facts: () => PodFacts) {
    this.#context = context;
    this.#folder = folder;
    this.#facts = facts;
    const { pod } = facts();
    this.#tokens = new PodTokens(context.client, pod);
    const sources = (pod.spec.volumes ?? []).flatMap(({ projected }) => projected?.sources ?? []);
    this.#projections = sources.flatMap(({ serviceAccountToken }) => serviceAccountToken ?? []);
  }

  folderOf(volume: string): string {
    return join(this.#folder, volume);
  }

  /** Brings every volume up to date. @throws ConfigError if something is missing, or the API's error for a token */
  async refresh(): Promise<void> {
    const facts = this.#facts();
    const { namespace = '' } = facts.pod.metadata;
    await this.#tokens.renew(this.#projections);
    const sources = this.#context.sourcesOf(namespace);
    for (const volume of facts.pod.spec.volumes ?? []) {
      const folder = this.folderOf(volume.name);
      if (isProjected(volume))
        writeVolume(
          folder,
          volumeFiles(volume, facts, sources, (token) => this.#tokens.get(token)),
        );
      else if (volume.emptyDir) mkdirSync(folder, { recursive: true });
      else throw new ConfigError(unsupported(volume));
    }
  }
}

function unsupported(volume: Volume): string {
  const kind = Object.keys(volume).find((key) => key !== 'name');
  return `volume "${volume.name}": the process node has no ${kind} volumes`;
}
