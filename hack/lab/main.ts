#!/usr/bin/env -S npx tsx
/** `npm run lab -- up|status|down|binaries`: a hub and its targets on this machine. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import yargs, { type Argv } from 'yargs';
import { ensureBinaries, ensureHelm, ensureNodeBinaries } from './binaries.ts';
import { takeDown } from './down.ts';
import { installOperator } from './install.ts';
import { NODE_KINDS, type NodeKind } from './lab.ts';
import { print, table, tell } from './output.ts';
import { labFolder } from './paths.ts';
import { elapsed } from './progress.ts';
import { type LabState, readState } from './state.ts';
import { statusOf } from './status.ts';
import { bringUp } from './up.ts';

const NAME = { type: 'string', default: 'default', describe: 'Name of the lab; several can run at once' } as const;

const NODES = {
  choices: NODE_KINDS,
  default: 'process' as NodeKind,
  describe: "The targets' pods: as processes, or with kubelet and containerd (root on Linux)",
} as const;

interface UpArguments {
  readonly name: string;
  readonly targets: number;
  readonly nodes: NodeKind;
  readonly install: boolean;
}

async function up({ name, targets, nodes, install }: UpArguments): Promise<void> {
  const startedMs = Date.now();
  const folder = labFolder(name);
  const state = await bringUp({ folder, name, targets, nodes, progress: tell });
  print(`Lab ${name} is up (${elapsed(Date.now() - startedMs)}).`);
  for (const cluster of state.clusters) print(`  ${cluster.name}: export KUBECONFIG=${cluster.kubeconfig}`);
  if (install) await installInto(folder, state);
  print(`  gateway: ${state.gatewayUrl}${install ? '' : ' (nothing behind it: the operator is not installed)'}`);
  print(`  users and their tokens: ${join(folder, 'state.json')}`);
}

async function installInto(folder: string, state: LabState): Promise<void> {
  const [hub] = state.clusters;
  if (hub === undefined || state.kubectl === undefined || state.gatewayUrl === undefined)
    throw new Error('The lab has no hub.');
  await installOperator({
    folder,
    gatewayUrl: state.gatewayUrl,
    hubKubeconfig: hub.kubeconfig,
    kubectl: { file: state.kubectl, cacheFolder: join(folder, 'kubectl') },
    progress: tell,
  });
  print('  operator: installed and Available');
}

async function status({ name }: { name: string }): Promise<void> {
  const state = readState(labFolder(name));
  if (state === undefined) throw new Error(`There is no lab ${name}: \`npm run lab -- up --name ${name}\` starts it.`);
  print(table([['COMPONENT', 'PID', 'ADDRESS', 'HEALTHY'], ...(await statusOf(state))]));
  if (state.problem !== undefined) print(state.problem);
}

async function down({ name }: { name: string }): Promise<void> {
  const folder = labFolder(name);
  if (!existsSync(folder)) return print(`There is no lab ${name}.`);
  await takeDown(folder, tell);
  print(`Lab ${name} is down.`);
}

async function binaries({ nodes, helm }: { nodes: NodeKind; helm: boolean }): Promise<void> {
  const { files } = await ensureBinaries({ progress: tell });
  for (const file of Object.values(files)) print(file);
  if (nodes === 'kubelet') {
    for (const file of Object.values((await ensureNodeBinaries({ progress: tell })).files)) print(file);
  }
  if (helm) print((await ensureHelm({ progress: tell })).files.helm);
}

await yargs(process.argv.slice(2))
  .scriptName('npm run lab --')
  .command(
    'up',
    'Start a lab, or say where it is if it runs',
    (options: Argv) =>
      options
        .option('name', NAME)
        .option('targets', { type: 'number', default: 2, describe: 'Clusters beside the hub' })
        .option('nodes', NODES)
        .option('install', {
          type: 'boolean',
          default: true,
          describe: 'Install the operator of this checkout into the hub',
        }),
    up,
  )
  .command('status', 'Show every process of a lab', (options: Argv) => options.option('name', NAME), status)
  .command('down', 'Stop a lab and remove its folder', (options: Argv) => options.option('name', NAME), down)
  .command(
    'binaries',
    'Find, download or build the control plane programs, those of real nodes, and Helm',
    (options: Argv) =>
      options
        .option('nodes', NODES)
        .option('helm', { type: 'boolean', default: false, describe: 'Helm as well, for the tests' }),
    binaries,
  )
  .demandCommand(1, 'Say what to do: up, status, down or binaries.')
  .strict()
  .fail((message, error) => {
    tell(error?.message ?? message);
    process.exit(1);
  })
  .parseAsync();
