import { AgentLab, type AgentTarget } from '../agent/lab.ts';
import { LiveAgent } from '../agent/live-agent.ts';
import { GatewayLab, type GatewayTarget } from '../gateway/lab.ts';
import { LiveGateway } from '../gateway/live-gateway.ts';
import type { Bench } from '../run.ts';
import type { Patch } from './patch.ts';

/** Peers that run, and how to end them. */
export interface Benches<Lab> {
  readonly benches: readonly Bench<Lab>[];
  /** What the peers said last. */
  words(): string;
  stop(): Promise<void>;
}

export function gatewayBench(target: GatewayTarget): Bench<GatewayLab> {
  const lab = new GatewayLab(target);
  return { lab, clean: () => lab.clean() };
}

export function agentBench(target: AgentTarget): Bench<AgentLab> {
  const lab = new AgentLab(target);
  return { lab, clean: () => lab.clean() };
}

/** One gateway of our own source, a bench a tunnel. */
export async function gatewayBenches(patches: readonly Patch[] = []): Promise<Benches<GatewayLab>> {
  const gateway = await LiveGateway.start(patches);
  return {
    benches: gateway.targets.map(gatewayBench),
    words: () => gateway.process.words,
    stop: () => gateway.stop(),
  };
}

/** So many agents of our own source, a bench each. */
export async function agentBenches(count: number, patches: readonly Patch[] = []): Promise<Benches<AgentLab>> {
  const started = await Promise.allSettled(Array.from({ length: count }, () => LiveAgent.start(patches)));
  const agents = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const stop = async () => void (await Promise.all(agents.map((agent) => agent.stop())));
  const failure = started.find((each) => each.status === 'rejected');
  if (failure !== undefined) {
    await stop();
    throw failure.reason;
  }
  return {
    benches: agents.map(({ target }) => agentBench(target)),
    words: () => agents.map((agent) => agent.words).join('\n'),
    stop,
  };
}
