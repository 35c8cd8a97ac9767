import { TOOLS_IMAGE } from '../../../hack/lab/images/tools-image.ts';

/** Bytes of the file that the web server of pod `web` offers. */
export const FILE_BYTES = 5 * 2 ** 20;

/** A pod of one container, whose command is a line of shell. */
export function pod(
  name: string,
  script: string,
  more: { stdin?: boolean; labels?: Record<string, string> } = {},
): object {
  const { stdin = false, labels = {} } = more;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels },
    spec: {
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 1,
      automountServiceAccountToken: false,
      containers: [
        { name: 'main', image: TOOLS_IMAGE, command: ['sh', '-c', script], ...(stdin && { stdin, stdinOnce: true }) },
      ],
    },
  };
}

/** What every test may use: a shell to exec into, one to debug, a log that goes on, and a web server with a file. */
export const PODS = {
  apiVersion: 'v1',
  kind: 'List',
  items: [
    pod('box', 'exec sleep 2147483647'),
    // kubectl debug leaves a container behind, which every later command that names none would speak of.
    pod('patient', 'exec sleep 2147483647'),
    pod('ticker', 'while :; do echo tick; sleep 0.2; done'),
    pod(
      'web',
      `mkdir /tmp/www && head -c ${FILE_BYTES} /dev/urandom >/tmp/www/file && echo hello >/tmp/www/greeting && exec httpd -f -p 8080 -h /tmp/www`,
    ),
  ],
};
