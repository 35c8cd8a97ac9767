import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { installOperator } from '../lab/install.ts';
import { PROGRAM, REPOSITORY } from '../lab/paths.ts';
import { KUBECONFIG, LOCAL, MANUAL, type Stage } from './stage.ts';
import { expect, type Step } from './story.ts';

const READY_SECONDS = 60;
const KUBECONFIG_SECRET = 'reachable-kubeconfig';

/** From nothing to three tunnels that are Ready, one of each placement. */
export const tunnelSteps: readonly Step[] = [
  {
    name: 'the operator runs in the hub, installed from config/default',
    run: async (stage, show) => {
      const { folder, gatewayUrl, hub, kubectlProgram, progress } = stage;
      await installOperator({ folder, gatewayUrl, hubKubeconfig: hub.kubeconfig, kubectl: kubectlProgram, progress });
      await stage.openGateway();
      show(`kubectl apply -k config/default   # gateway at ${gatewayUrl}`);
    },
  },
  {
    name: 'config/samples is applied: one tunnel of each placement',
    run: async (stage, show) => {
      const { stdout } = await stage.kubectl(stage.hub, ['apply', '-k', join(REPOSITORY, 'config/samples')]);
      show(stdout);
    },
  },
  {
    name: 'the Local tunnel is Ready: the operator deployed its agents',
    run: (stage, show) => waitReady(stage, LOCAL, show),
  },
  {
    name: 'the manifest of the Manual tunnel is applied at the target',
    run: async (stage, show) => {
      const manifest = await renderManifest(stage);
      const { stdout } = await stage.kubectl(stage.target, ['apply', '-f', '-'], { input: manifest });
      show(`clustertunnel manifest ${MANUAL} | kubectl --context target-1 apply -f -`);
      show(stdout);
    },
  },
  {
    name: 'the Kubeconfig tunnel says what it waits for, and gets it: a kubeconfig in a Secret',
    run: async (stage, show) => {
      const words = await messageOf(stage, KUBECONFIG, 'CredentialsReady');
      expect(words.includes(KUBECONFIG_SECRET), `the condition does not name the Secret: ${words}`);
      const create = ['-n', 'clustertunnel-system', 'create', 'secret', 'generic', KUBECONFIG_SECRET];
      await stage.kubectl(stage.hub, [...create, `--from-file=kubeconfig=${stage.reachable.kubeconfig}`]);
      show(`CredentialsReady: ${words}`);
      show(`kubectl ${create.join(' ')} --from-file=kubeconfig=target-2.kubeconfig`);
    },
  },
  {
    name: 'the Kubeconfig tunnel is Ready: the operator deployed its agent in the other cluster',
    run: (stage, show) => waitReady(stage, KUBECONFIG, show),
  },
  {
    name: 'the Manual tunnel is Ready: its agent dialled out to the gateway',
    run: async (stage, show) => {
      await waitReady(stage, MANUAL, show);
      const { stdout } = await stage.kubectl(stage.hub, ['get', 'clustertunnels']);
      show(stdout);
    },
  },
];

/** The command that users run, from what is built. */
async function renderManifest(stage: Stage): Promise<string> {
  const child = spawn(process.execPath, [PROGRAM, 'manifest', MANUAL], {
    env: { ...process.env, KUBECONFIG: stage.hub.kubeconfig },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  expect(code === 0, `clustertunnel manifest ended with ${code}:\n${stderr}`);
  return stdout;
}

async function messageOf(stage: Stage, tunnel: string, condition: string): Promise<string> {
  const path = `jsonpath={.status.conditions[?(@.type=="${condition}")].message}`;
  return (await stage.kubectl(stage.hub, ['get', 'ct', tunnel, '-o', path])).stdout;
}

async function waitReady(stage: Stage, tunnel: string, show: (text: string) => void): Promise<void> {
  const wait = ['wait', `ct/${tunnel}`, '--for=condition=Ready', `--timeout=${READY_SECONDS}s`];
  const { exitCode, stdout } = await stage.kubectl(stage.hub, wait, {
    mayFail: true,
    timeoutMs: (READY_SECONDS + 5) * 1000,
  });
  if (exitCode !== 0) {
    const { stdout: described } = await stage.kubectl(stage.hub, ['describe', 'ct', tunnel], { mayFail: true });
    throw new Error(`tunnel ${tunnel} is not Ready after ${READY_SECONDS} s\n${described}`);
  }
  show(`kubectl wait ct/${tunnel} --for=condition=Ready\n${stdout}`);
}
