import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { until } from '../lab/until.ts';
import { MANUAL, NAMESPACE, type Stage } from './stage.ts';
import { expect, type Step } from './story.ts';

const WATCH_TIMEOUT_MS = 20_000;

/** What people do all day, as alice, through the tunnel. */
export const everydaySteps: readonly Step[] = [
  {
    name: 'alice gets rights: on the tunnel in the hub, in one namespace of the target',
    run: async (stage, show) => {
      const hub = ['create', 'clusterrolebinding', 'alice-tunnels', '--clusterrole=clustertunnel-user', '--user=alice'];
      const target = ['-n', NAMESPACE, 'create', 'rolebinding', 'alice', '--clusterrole=edit', '--user=alice'];
      await stage.kubectl(stage.hub, hub);
      await stage.kubectl(stage.target, ['create', 'namespace', NAMESPACE]);
      await stage.kubectl(stage.target, target);
      show(`hub:    kubectl ${hub.join(' ')}\ntarget: kubectl ${target.join(' ')}`);
    },
  },
  {
    name: 'bob, without rights in the hub, is refused by the gateway',
    run: (stage, show) =>
      showForbidden(stage, 'bob', NAMESPACE, 'User "bob" cannot get resource "clustertunnels/proxy"', show),
  },
  {
    name: "alice, outside her namespace, gets the target's own refusal, by her name",
    run: (stage, show) =>
      showForbidden(stage, 'alice', 'kube-system', 'User "alice" cannot list resource "configmaps"', show),
  },
  {
    name: 'kubectl get works through the tunnel',
    run: async (stage, show) => {
      const { stdout } = await asAlice(stage, ['get', 'configmaps']);
      expect(stdout.includes('kube-root-ca.crt'), `kubectl get configmaps said: ${stdout}`);
      show(`kubectl get configmaps\n${stdout}`);
    },
  },
  {
    name: 'kubectl apply works through the tunnel, and a watch shows the event',
    run: showApplyAndWatch,
  },
  {
    name: 'kubectl delete works through the tunnel',
    run: async (stage, show) => {
      const { stdout } = await asAlice(stage, ['delete', 'configmap', 'greeting']);
      const { exitCode } = await stage.kubectl(stage.target, ['-n', NAMESPACE, 'get', 'configmap', 'greeting'], {
        mayFail: true,
      });
      expect(exitCode !== 0, 'the ConfigMap is still there');
      show(`kubectl delete configmap greeting\n${stdout}`);
    },
  },
];

function asAlice(stage: Stage, args: readonly string[], input?: string) {
  const options = input === undefined ? {} : { input };
  return stage.kubectl(stage.kubeconfigFor('alice', MANUAL), ['-n', NAMESPACE, ...args], options);
}

async function showForbidden(
  stage: Stage,
  user: 'alice' | 'bob',
  namespace: string,
  words: string,
  show: (text: string) => void,
): Promise<void> {
  const args = ['-n', namespace, 'get', 'configmaps'];
  const { exitCode, stderr } = await stage.kubectl(stage.kubeconfigFor(user, MANUAL), args, { mayFail: true });
  expect(exitCode !== 0 && stderr.includes(words), `expected a refusal with ${words}, got ${exitCode}: ${stderr}`);
  const [last = ''] = stderr.trim().split('\n').slice(-1); // above it kubectl repeats itself
  show(`kubectl ${args.join(' ')}   # as ${user}\n${last}`);
}

/** Starts a watch, applies an object beside it, and waits until the watch has shown it. */
async function showApplyAndWatch(stage: Stage, show: (text: string) => void): Promise<void> {
  const { file, cacheFolder } = stage.kubectlProgram;
  const watch = spawn(file, ['-n', NAMESPACE, 'get', 'configmaps', '--watch-only', '--no-headers'], {
    env: { PATH: process.env['PATH'], HOME: cacheFolder, KUBECONFIG: stage.kubeconfigFor('alice', MANUAL) },
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: WATCH_TIMEOUT_MS,
  });
  try {
    const seen = firstLine(watch, 'greeting');
    await watchIsOpen(stage);
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'greeting' }, data: { text: 'hello' } };
    const { stdout } = await asAlice(stage, ['apply', '-f', '-'], JSON.stringify(object));
    show(`kubectl apply -f greeting.yaml\n${stdout}kubectl get configmaps --watch-only\n${await seen}`);
  } finally {
    watch.kill();
  }
}

/** The target has answered the watch: from here on it misses nothing. */
async function watchIsOpen(stage: Stage): Promise<void> {
  const opened = () =>
    stage
      .audited(stage.target, `/namespaces/${NAMESPACE}/configmaps`)
      .find(({ stage: at, requestURI }) => at === 'ResponseStarted' && requestURI.includes('watch=true'));
  await until('the watch at the target', opened, WATCH_TIMEOUT_MS);
}

function firstLine(child: ReturnType<typeof spawn>, beginning: string): Promise<string> {
  return new Promise((resolve, reject) => {
    if (child.stdout === null) return reject(new Error('no output'));
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith(beginning)) resolve(line);
    });
    child.once('close', () => reject(new Error(`the watch ended before it showed ${beginning}`)));
  });
}
