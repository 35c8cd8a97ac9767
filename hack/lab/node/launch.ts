import type { Container, RestartPolicy } from '../api/pod.ts';
import { expand } from './expansion.ts';

/** How one container is started as a process. */
export interface Launch {
  readonly file: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** What every container gets from the node; nothing of the lab's own environment. */
export function givenEnvironment(
  root: string,
  podName: string,
  apiServer: { readonly host: string; readonly port: string },
): Record<string, string> {
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: root,
    TMPDIR: `${root}/tmp`,
    HOSTNAME: podName,
    CLUSTERTUNNEL_ROOT: root,
    KUBERNETES_SERVICE_HOST: apiServer.host,
    KUBERNETES_SERVICE_PORT: apiServer.port,
    KUBERNETES_SERVICE_PORT_HTTPS: apiServer.port,
  };
}

/** The program that stands for the image, followed by the container's command and args with their variables filled in. */
export function launchOf(
  container: Container,
  program: readonly string[],
  variables: ReadonlyMap<string, string>,
): Launch {
  const words = [...(container.command ?? []), ...(container.args ?? [])].map((word) => expand(word, variables));
  const [file = '', ...args] = [...program, ...words];
  return { file, args, environment: Object.fromEntries(variables) };
}

/** Whether a container that ended with `exitCode` is to run again. */
export function isRestarted(policy: RestartPolicy, exitCode: number): boolean {
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
}
