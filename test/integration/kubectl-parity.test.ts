import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { KubectlResult } from '../../hack/lab/kubectl.ts';
import { InstalledLab, whyNoControlPlane } from '../support/installed-lab.ts';
import { type Command, READING, WORKING } from '../support/parity/commands.ts';
import { masked } from '../support/parity/masked.ts';

const TUNNEL = 'far';
const CHATTER = fileURLToPath(new URL('../support/chatter.mjs', import.meta.url));
/** Who the person is at the target: directly by impersonation, through the gateway by his own token. */
const DIRECTLY = ['--as=lab-admin', '--as-uid=lab-admin', '--as-group=lab:admins', '--as-group=system:authenticated'];

/** Ways through the gateway; Go's client falls back to HTTP/1.1 when it is told to. */
const WAYS: readonly (readonly [name: string, environment: Readonly<Record<string, string>>])[] = [
  ['HTTP/2', {}],
  ['HTTP/1.1', { GODEBUG: 'http2client=0' }],
];

const COMMANDS = [...READING, ...WORKING];

let lab: InstalledLab;

describe('kubectl says the same through the gateway as directly', () => {
  before(async function () {
    const reason = whyNoControlPlane();
    if (reason !== undefined) {
      this.test?.parent?.eachTest((test) => {
        test.title += ` (${reason})`;
      });
      return this.skip();
    }
    lab = await InstalledLab.start({ targets: 1, images: { chatter: [process.execPath, CHATTER] } });
    await lab.apply({
      apiVersion: 'clustertunnel.io/v1alpha1',
      kind: 'ClusterTunnel',
      metadata: { name: TUNNEL },
      spec: { agent: { placement: 'Manual', replicas: 1 } },
    });
    await lab.hub(['create', 'clusterrolebinding', 'admins', '--clusterrole=clustertunnel-user', '--group=lab:admins']);
    const admins = ['create', 'clusterrolebinding', 'admins', '--clusterrole=cluster-admin', '--group=lab:admins'];
    await lab.lab.kubectl(lab.target, admins);
    await lab.hub(['wait', `ct/${TUNNEL}`, '--for=create', '--timeout=10s']);
    await lab.applyManifest(TUNNEL, lab.target);
    await lab.waitReady(TUNNEL);
  });

  after(async () => {
    await lab?.stop();
  });

  const direct = ({ args, input, environment }: Command): Promise<KubectlResult> =>
    lab.lab.kubectl(lab.target, [...DIRECTLY, ...args], { mayFail: true, ...optional({ input, environment }) });
  const through = (way: Readonly<Record<string, string>>, { args, input, environment }: Command) =>
    lab.through(TUNNEL, 'lab-admin', args, {
      mayFail: true,
      ...optional({ input }),
      environment: { ...way, ...environment },
    });

  /** By place: a command may come twice. */
  const plain: KubectlResult[] = [];

  describe('directly', () => {
    COMMANDS.forEach((command, at) => {
      it(titleOf(command), async () => {
        plain[at] = await direct(command);
      });
    });
  });

  for (const [name, environment] of WAYS) {
    describe(`over ${name}`, () => {
      COMMANDS.forEach((command, at) => {
        it(titleOf(command), async () => {
          const expected = plain[at] as KubectlResult;
          expect(shown(command, await through(environment, command))).to.deep.equal(shown(command, expected));
        });
      });
    });
  }
});

function titleOf({ args, input }: Command): string {
  return `kubectl ${args.join(' ')}${input === undefined ? '' : ` < ${input.slice(0, 60)}`}`;
}

function shown({ isUnordered = false, isProgress = false }: Command, { exitCode, stdout, stderr }: KubectlResult) {
  const lines = (text: string) => {
    const all = masked(text).trimEnd().split('\n');
    if (isProgress) return all.slice(-1);
    return isUnordered ? all.sort() : all;
  };
  return { exitCode, stdout: lines(stdout), stderr: lines(stderr) };
}

function optional<T extends Record<string, unknown>>(fields: T) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [Key in keyof T]: Exclude<T[Key], undefined>;
  };
}
