/**
 * The process that owns a lab: `supervisor.ts <folder> <name> <targets> <nodes>`, started detached by `up`.
 * It says how far it is in state.json, and ends everything it owns on SIGTERM.
 */
import { join } from 'node:path';
import { type Lab, NODE_KINDS, startLab } from './lab.ts';
import { tell } from './output.ts';
import { identityOf } from './processes/identity.ts';
import { type LabState, writeState } from './state.ts';

const [folder = '', name = '', targets = '', kind = ''] = process.argv.slice(2);
const nodes = NODE_KINDS.find((known) => known === kind) ?? 'process';

async function supervise(): Promise<void> {
  const supervisor = identityOf(process.pid) ?? { pid: process.pid, startedAt: 'unknown' };
  const known = { name, supervisor, targets: Number(targets), nodes };
  const stopAsked = new Promise<void>((resolve) => {
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
  });
  writeState(folder, { ...known, phase: 'starting', clusters: [] });
  let lab: Lab;
  try {
    lab = await startLab({ dir: folder, targets: known.targets, nodes, progress: tell });
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    writeState(folder, { ...known, phase: 'failed', problem, clusters: [] });
    process.exitCode = 1;
    return;
  }
  writeState(folder, readyState(lab, known));
  await stopAsked;
  await lab.stop();
}

function readyState(lab: Lab, known: Pick<LabState, 'name' | 'supervisor' | 'targets' | 'nodes'>): LabState {
  return {
    ...known,
    phase: 'ready',
    gatewayUrl: lab.gatewayUrl,
    kubectl: lab.binaries.files.kubectl,
    users: lab.users,
    clusters: lab.clusters.map((cluster) => ({
      name: cluster.name,
      dir: cluster.dir,
      url: cluster.url,
      kubeconfig: join(folder, `${cluster.name}.kubeconfig`),
      ...(cluster.node && { podRange: cluster.node.podRange }),
    })),
  };
}

await supervise();
process.exit(); // a forgotten handle must not keep a stopped lab alive
