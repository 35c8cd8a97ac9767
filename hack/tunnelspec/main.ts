#!/usr/bin/env -S npx tsx
/** `npm run tunnelspec`: the rules of tunnel/PROTOCOL.md, asked of live peers. In the manner of h2spec. */
import { print, tell } from '../lab/output.ts';
import { AGENT_CASES } from './agent/cases.ts';
import { RawGateway } from './agent/raw-gateway.ts';
import type { Case } from './case.ts';
import { GATEWAY_CASES } from './gateway/cases.ts';
import { agentBench, agentBenches, type Benches, gatewayBench, gatewayBenches } from './live/benches.ts';
import { type Options, readOptions, UsageError } from './options.ts';
import { report, summaryOf } from './report.ts';
import { type End, readRules } from './rules.ts';
import { type Outcome, runCases } from './run.ts';

/** Agents started at once. */
const AGENTS = 3;
/** A live agent may be waiting between two attempts. */
const DIAL_MS = 90_000;

try {
  process.exitCode = await main(readOptions(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  tell(error.message);
  process.exitCode = 2;
}

async function main(options: Options): Promise<number> {
  const { gateway, listen, only, isJson } = options;
  const outcomes: Outcome[] = [];
  const ask = async <Lab>(end: End, cases: readonly Case<Lab>[], start: () => Promise<Benches<Lab>>) => {
    outcomes.push(
      ...(await askEnd(
        end,
        cases.filter(({ rule }) => isChosen(rule, only)),
        start,
        isJson,
      )),
    );
  };
  const isBoth = gateway === undefined && listen === undefined;
  if (isBoth) await ask('gateway', GATEWAY_CASES, () => gatewayBenches());
  if (isBoth) await ask('agent', AGENT_CASES, () => agentBenches(AGENTS));
  if (gateway !== undefined) await ask('gateway', GATEWAY_CASES, async () => alone(gatewayBench(gateway)));
  if (listen !== undefined) await ask('agent', AGENT_CASES, () => listeningBench(listen));
  const summary = summaryOf(outcomes);
  if (isJson) print(JSON.stringify({ ...summary, cases: outcomes }));
  else
    print(
      `\n${summary.passed} passed, ${summary.failed} failed${summary.skipped > 0 ? `, ${summary.skipped} skipped` : ''}`,
    );
  return summary.failed > 0 || summary.passed === 0 ? 1 : 0;
}

async function askEnd<Lab>(
  end: End,
  cases: readonly Case<Lab>[],
  start: () => Promise<Benches<Lab>>,
  isJson: boolean,
): Promise<Outcome[]> {
  const { benches, stop } = await start();
  let done = 0;
  const progress = setInterval(() => tell(`${end}: ${done} of ${cases.length} cases`), 3_000);
  try {
    const outcomes = await runCases(end, cases, benches, () => {
      done += 1;
    });
    if (!isJson) for (const line of report(end, outcomes, readRules())) print(line);
    return outcomes;
  } finally {
    clearInterval(progress);
    await stop();
  }
}

function isChosen(rule: string, only: string | undefined): boolean {
  return only === undefined || rule === only || rule.startsWith(`${only}.`);
}

/** One live peer that is not ours to stop. */
function alone<Lab>(bench: Benches<Lab>['benches'][number]): Benches<Lab> {
  return { benches: [bench], words: () => '', stop: async () => {} };
}

async function listeningBench(listen: NonNullable<Options['listen']>) {
  const gateway = await RawGateway.start(listen);
  tell(`waiting for an agent at https://${listen.host}:${gateway.port}`);
  try {
    await gateway.until('an agent to dial', () => gateway.attempts[0], DIAL_MS);
  } catch (error) {
    await gateway.close();
    throw new UsageError(
      `${error instanceof Error ? error.message : String(error)}: start one with --gateway of this address`,
    );
  }
  const bench = agentBench({
    gateway,
    upstream: undefined,
    namesake: undefined,
    speed: 1,
    restart: undefined,
    terminate: undefined,
  });
  return { benches: [bench], words: () => '', stop: () => gateway.close() };
}
