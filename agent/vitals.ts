import { statfsSync } from 'node:fs';
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { HealthReport } from '../crds/health-report.ts';

const NS_PER_MS = 1e6;
/** How often the event loop is asked to be on time. */
const SAMPLE_EVERY_MS = 20;
/** The agent's own image, its logs and, on a node, everybody else's. */
const ROOT = '/';

/** What an agent says of its own process and machine. */
export type Vitals = Pick<HealthReport, 'memoryBytes' | 'heapBytes' | 'freeDiskBytes' | 'loopDelayMs'>;

/** How this process is: its memory, its disk, and how late its event loop ran since the last look. */
export class OwnVitals {
  readonly #loopDelay: IntervalHistogram = monitorEventLoopDelay({ resolution: SAMPLE_EVERY_MS });

  start(): void {
    this.#loopDelay.enable();
  }

  stop(): void {
    this.#loopDelay.disable();
  }

  look(): Vitals {
    const { rss, heapUsed } = process.memoryUsage();
    const loopDelayMs = latenessMs(this.#loopDelay.percentile(99));
    this.#loopDelay.reset();
    return { memoryBytes: rss, heapBytes: heapUsed, freeDiskBytes: freeBytes(ROOT), loopDelayMs };
  }
}

/** What the histogram holds is the time between two samples: only what is beyond the rhythm is delay. */
export function latenessMs(betweenSamplesNs: number): number {
  // Without a sample there is no percentile.
  return Math.max(0, Math.round((betweenSamplesNs || 0) / NS_PER_MS) - SAMPLE_EVERY_MS);
}

/** What a process without privileges may still write there; undefined where the system does not say. */
export function freeBytes(path: string): number | undefined {
  try {
    // The kernel answers from memory: this waits for no disk.
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}
