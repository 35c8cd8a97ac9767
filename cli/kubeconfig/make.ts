import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { describeError } from '../../process/redact.ts';
import { type HubConfig, withHub } from '../cluster.ts';
import type { HubFlags } from '../hub-flags.ts';
import { CommandError } from '../output.ts';
import { demandCredential } from './credential.ts';
import { parseKubeconfig } from './document.ts';
import { execStanza } from './exec-stanza.ts';
import { kubeconfigPaths, readKubeconfigs, readText, writablePath } from './files.ts';
import type { Sourced } from './find-hub.ts';
import { conflictsOf, type Merged, mergeTunnel, type Wanted, type WantedUser } from './merge.ts';
import { readTunnel, type TunnelFacts } from './read-tunnel.ts';
import { conflictError, shellWord, shown, summary } from './report.ts';
import { givenToken, type TokenFlags } from './token.ts';
import { updateFile } from './update-file.ts';

export interface KubeconfigFlags extends HubFlags, TokenFlags {
  readonly name: string;
  readonly 'set-context-name': string | undefined;
  /** Has no default: for yargs a flag with one is always given, and conflicts with --output. */
  readonly write: boolean | undefined;
  readonly output: string | undefined;
  readonly use: boolean;
  readonly force: boolean;
  readonly 'dry-run': boolean;
  /** The credential is asked for at each use, not copied. No default: see `write`. */
  readonly exec: boolean | undefined;
  readonly 'service-account': string | undefined;
}

/** Where the command stands: what it reads beside its flags. */
export interface Surroundings {
  readonly env: NodeJS.ProcessEnv;
  readonly stdin: Readable;
}

/** What to print. */
export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
}

/** Everything that was found out before a file is touched. */
interface Plan {
  readonly flags: KubeconfigFlags;
  readonly wanted: Wanted;
  readonly notes: readonly string[];
  /** Undefined: stdout. */
  readonly target: string | undefined;
  /** All files that kubectl reads. */
  readonly paths: readonly string[];
}

/** Makes the kubeconfig of a tunnel and puts it where the flags say. @throws CommandError */
export async function makeKubeconfig(flags: KubeconfigFlags, around: Surroundings): Promise<Outcome> {
  const plan = await planOf(flags, around);
  const { stdout, words } = plan.target === undefined ? alone(plan) : merged(plan, plan.target);
  const stderr = [...plan.notes.map((note) => `note: ${note}`), ...words].map((line) => `${line}\n`).join('');
  return { stdout, stderr };
}

async function planOf(flags: KubeconfigFlags, { env, stdin }: Surroundings): Promise<Plan> {
  const token = await givenToken(flags, stdin);
  const paths = kubeconfigPaths(undefined, env);
  const target =
    flags.output === undefined ? (flags.write === true ? writablePath(paths) : undefined) : resolve(flags.output);
  const { name } = flags;
  const read = await withHub(
    flags,
    async (client, signal, config) => {
      const user = wantedUser(flags, { token, config, target });
      const facts = await readTunnel(client, { name, namespace: flags['operator-namespace'] }, signal);
      return { user, facts, hub: client.server };
    },
    env,
  );
  return { flags, target, paths, notes: read.facts.notes, wanted: wantedOf(flags, read) };
}

function wantedOf(
  flags: KubeconfigFlags,
  { user, facts, hub }: { readonly user: WantedUser; readonly facts: TunnelFacts; readonly hub: string },
): Wanted {
  const { name: tunnel, 'set-context-name': contextName, use } = flags;
  const { server, caPem } = facts;
  return { name: contextName ?? tunnel, marker: { tunnel, hub }, server, caPem, user, isCurrent: use };
}

function wantedUser(
  flags: KubeconfigFlags,
  { token, config, target }: { token: string | undefined; config: HubConfig; target: string | undefined },
): WantedUser {
  if (token !== undefined) return { fields: { token } };
  const { exec, 'service-account': account } = flags;
  if (exec !== true && account === undefined) return hubCredential(config.user, flags.name, target);
  if (account === undefined) demandCredential(config.user ?? { name: '', fields: {} }, flags.name);
  return { fields: { exec: execStanza(config, account) } };
}

/** The hub's user: named where he stands already, copied elsewhere. */
function hubCredential(user: Sourced | undefined, tunnel: string, target: string | undefined): WantedUser {
  demandCredential(user ?? { name: '', fields: {} }, tunnel);
  if (user === undefined) throw new RangeError('a context without a user has no credential');
  return target !== undefined && isSameFile(target, user.path) ? { existing: user.name } : { fields: user.fields };
}

function isSameFile(one: string, other: string): boolean {
  try {
    return realpathSync(one) === realpathSync(other);
  } catch {
    // One of them is not there yet.
    return false;
  }
}

interface Result {
  readonly stdout: string;
  readonly words: readonly string[];
}

function alone({ flags, wanted }: Plan): Result {
  const { text, changes } = mergeTunnel('', { ...wanted, isCurrent: true });
  const stdout = flags['dry-run'] ? shown(changes, { ...wanted, isCurrent: true }) : text;
  return { stdout, words: ['next: save it as <file>, and run: kubectl --kubeconfig <file> get pods'] };
}

function merged(plan: Plan, target: string): Result {
  const { flags, wanted, paths } = plan;
  demandFree(plan, target);
  let result: Merged = { text: '', changes: [] };
  let isSame = false;
  const change = (text: string): string => {
    result = mergedText(plan, target, text);
    isSame = result.text === text;
    return result.text;
  };
  const isDry = flags['dry-run'];
  if (isDry) change(reading(target, () => readText(target) ?? ''));
  else updateFile(target, change);
  const kubeconfig = paths.includes(target) ? '' : `--kubeconfig ${shellWord(target)} `;
  const next = `next: kubectl ${kubeconfig}--context ${shellWord(wanted.name)} get pods`;
  const deed = isSame ? 'nothing to change in' : isDry ? 'would write' : 'wrote';
  const words = [`${deed} ${target}: ${summary(result.changes, wanted)}`, next];
  return { stdout: isDry ? shown(result.changes, wanted) : '', words };
}

function mergedText({ flags, wanted }: Plan, target: string, text: string): Merged {
  try {
    const [conflict] = flags.force ? [] : conflictsOf(parseKubeconfig(text), wanted);
    if (conflict !== undefined) throw conflictError(conflict, target);
    return mergeTunnel(text, wanted);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError({
      what: `${target} was left as it is`,
      why: describeError(error),
      remedy: 'repair it, or name another file with --output',
    });
  }
}

/** What is written to one of kubectl's files hides entries of the same names in the others. */
function demandFree({ flags, wanted, paths }: Plan, target: string): void {
  if (flags.force || !paths.includes(target)) return;
  const others = paths.filter((path) => path !== target);
  for (const { path, kubeconfig } of reading(others.join(', '), () => readKubeconfigs(others))) {
    const [conflict] = conflictsOf(kubeconfig, wanted);
    if (conflict !== undefined) throw conflictError(conflict, path);
  }
}

/** Does `read`, and says of what it could not. */
function reading<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new CommandError({
      what: `${what} cannot be read`,
      why: describeError(error),
      remedy: 'repair it, or name another file with --output',
    });
  }
}
