import { createLogger } from '../process/log.ts';
import { exitOnSignals } from '../process/shutdown.ts';
import { VERSION } from '../process/version.ts';
import { startAgent } from './agent.ts';
import type { AgentConfig } from './flags.ts';

/** After the drain: time to cut what is left and to say goodbye. */
const EXIT_MS = 5_000;

export interface RunOptions {
  /** Stops the agent without exiting the process: for programs that run one inside themselves. */
  readonly signal?: AbortSignal;
}

/**
 * Runs an agent until SIGTERM or SIGINT (or until `signal` is aborted), then drains and exits.
 * @throws when the probe port cannot be opened.
 */
export async function runAgent(config: AgentConfig, { signal }: RunOptions = {}): Promise<void> {
  const log = createLogger({ level: config.logLevel, format: config.logFormat }).child({ tunnel: config.tunnel });
  const { gatewayUrl, proxyUrl, upstreamUrl } = config;
  log.info('agent starts', { version: VERSION, gateway: gatewayUrl, proxy: proxyUrl, upstream: upstreamUrl });
  const agent = await startAgent(config, log);
  const drain = (deadline: AbortSignal) => agent.stop(AbortSignal.any([deadline, AbortSignal.timeout(agent.drainMs)]));
  if (signal === undefined) {
    // The pod's grace period follows timeouts.drain; the deadline only guards against our own hanging.
    exitOnSignals({ drain, deadlineMs: () => agent.drainMs + EXIT_MS, log });
    return;
  }
  if (!signal.aborted) {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  }
  await drain(AbortSignal.timeout(agent.drainMs));
}
