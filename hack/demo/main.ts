#!/usr/bin/env -S npx tsx
/** `npm run demo`: three clusters, a tunnel to each, and what people do through them. */
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { takeDown } from '../lab/down.ts';
import { print, tell } from '../lab/output.ts';
import { labFolder } from '../lab/paths.ts';
import { reportIfSlow } from '../lab/progress.ts';
import { bringUp } from '../lab/up.ts';
import { everydaySteps } from './everyday.ts';
import { extremeSteps } from './extremes.ts';
import { Stage } from './stage.ts';
import type { Step } from './story.ts';
import { tunnelSteps } from './tunnels.ts';

interface Outcome {
  readonly name: string;
  readonly ok: boolean;
  readonly seconds: number;
}

const NAME = 'demo';
const FOLDER = labFolder(NAME);
const { values: flags } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});

const isQuiet = flags.json;
const say = (line: string) => (isQuiet ? tell(line) : print(line));
const outcomes: Outcome[] = [];
let stage: Stage | undefined;

const isDone = await play();
const isClean = flags.keep
  ? true
  : await attempt('everything is stopped and removed', async () => void (await takeDown(FOLDER, note)));
const ok = isDone && isClean;
if (!isQuiet) farewell(ok);
if (flags.json) print(JSON.stringify({ ok, steps: outcomes }));
process.exitCode = ok ? 0 : 1;

/** Runs the steps in order; the first that fails ends the play. */
async function play(): Promise<boolean> {
  say(
    'ClusterTunnel: a hub and two targets, a tunnel to each. Of one target the operator is never told the address.\n',
  );
  const isUp = await attempt('a hub and two target clusters run on this machine', async () => {
    await takeDown(FOLDER, note);
    stage = new Stage(
      FOLDER,
      await bringUp({ folder: FOLDER, name: NAME, nodes: 'process', targets: 2, progress: note }),
      note,
    );
    show([stage.hub, stage.target, stage.reachable].map(({ name, url }) => `${name.padEnd(9)}${url}`).join('\n'));
  });
  if (!isUp) return false;
  for (const step of [...tunnelSteps, ...everydaySteps, ...extremeSteps]) {
    if (!(await perform(step))) return false;
  }
  if (!flags.check && !flags.keep && process.stdin.isTTY) await readersPause();
  return true;
}

function perform(step: Step): Promise<boolean> {
  return attempt(step.name, async () => {
    if (stage === undefined) throw new Error('there is no lab');
    await reportIfSlow(note, 'still at it', step.run(stage, show));
  });
}

/** Runs one step, tells how it went, remembers it. */
async function attempt(name: string, run: () => Promise<void>): Promise<boolean> {
  const startedMs = Date.now();
  const number = String(outcomes.length + 1).padStart(2);
  say(`${number}. ${name} …`);
  let trouble: unknown;
  try {
    await run();
  } catch (error) {
    trouble = error ?? new Error('unknown');
  }
  const seconds = Math.round((Date.now() - startedMs) / 100) / 10;
  outcomes.push({ name, ok: trouble === undefined, seconds });
  if (trouble === undefined) say(`    ✓ ${seconds} s\n`);
  else say(`    ✗ ${trouble instanceof Error ? trouble.message : String(trouble)}\n`);
  return trouble === undefined;
}

/** What a step wants people to see, indented. */
function show(text: string): void {
  for (const line of text.trimEnd().split('\n')) say(`      ${line}`);
}

/** Progress of slow work. */
function note(sentence: string): void {
  if (sentence !== '') tell(`      … ${sentence}`);
}

async function readersPause(): Promise<void> {
  tryNext();
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  await terminal.question('\nThe lab runs until you press Enter. ');
  terminal.close();
}

function tryNext(): void {
  const alice = `${FOLDER}/alice@behind-nat.kubeconfig`;
  print('Try next:');
  print(`  export KUBECONFIG=${FOLDER}/hub.kubeconfig`);
  print('  kubectl get clustertunnels -o wide');
  print('  kubectl describe ct behind-nat');
  print('  kubectl explain ct.spec.limits');
  print(`  kubectl --kubeconfig ${alice} -n demo get configmaps   # through the tunnel, as alice`);
  print('  npm run lab -- status --name demo');
}

function farewell(isOk: boolean): void {
  print(isOk ? `All ${outcomes.length} steps came true.` : 'The demo failed: see the step marked ✗ above.');
  if (flags.keep) {
    tryNext();
    print('  npm run lab -- down --name demo        # stops and removes it');
  } else if (isOk) {
    print('Look around yourself: make demo ARGS=--keep leaves it running.');
  }
}
