import { dirname, isAbsolute, resolve } from 'node:path';
import { type Entry, type Fields, isFields, type Kubeconfig, LISTS, type ListName } from './document.ts';
import { type Marker, markerOf } from './marker.ts';

/** One kubeconfig file that was read. */
export interface SourceFile {
  readonly path: string;
  readonly kubeconfig: Kubeconfig;
}

/** An entry and the file it stands in; paths in it are absolute. */
export interface Sourced extends Entry {
  readonly path: string;
}

/** The hub as a kubeconfig knows it. */
export interface HubEntry {
  readonly context: Sourced;
  readonly cluster: Sourced;
  /** Undefined: the context names none. */
  readonly user: Sourced | undefined;
}

/**
 * The context that kubectl would use, of several files: of entries with one name the first counts, and so does the first
 * current-context. Source: client-go tools/clientcmd, ClientConfigLoadingRules. When that one is a tunnel of ours
 * (`--use`) and nobody named another, its hub is meant.
 * @throws Error that says which name is missing
 */
export function findHub(files: readonly SourceFile[], wantedContext: string | undefined): HubEntry {
  const current = files.map(({ kubeconfig }) => kubeconfig.currentContext).find((name) => name !== '');
  const contextName = wantedContext ?? current;
  if (contextName === undefined) throw new Error('the kubeconfig has no current context: name one with --context');
  const found = hubEntry(files, contextName);
  const marker = wantedContext === undefined ? markerOf(found.cluster.fields) : undefined;
  return marker === undefined ? found : behindTunnel(files, found, marker);
}

function hubEntry(files: readonly SourceFile[], contextName: string): HubEntry {
  const context = sourced(files, 'contexts', contextName);
  if (context === undefined) {
    throw new Error(
      `the kubeconfig has no context "${contextName}": it has ${contextNames(files).join(', ') || 'none'}`,
    );
  }
  const { cluster: clusterName, user: userName } = context.fields;
  const cluster = sourced(files, 'clusters', String(clusterName ?? ''));
  if (cluster === undefined)
    throw new Error(`context "${contextName}" names cluster "${clusterName}", which is not there`);
  if (userName === undefined || userName === null || userName === '') return { context, cluster, user: undefined };
  const user = sourced(files, 'users', String(userName));
  if (user === undefined) throw new Error(`context "${contextName}" names user "${userName}", which is not there`);
  return { context, cluster, user };
}

/** The context of the hub that a tunnel belongs to: with the tunnel's own user, if there is one. */
function behindTunnel(files: readonly SourceFile[], { context, user }: HubEntry, { tunnel, hub }: Marker): HubEntry {
  const contexts = contextNames(files).flatMap((name) => sourced(files, 'contexts', name) ?? []);
  const candidates = contexts.filter(({ fields }) => {
    const server = sourced(files, 'clusters', String(fields['cluster']))?.fields['server'];
    return typeof server === 'string' && server.replace(/\/+$/, '') === hub;
  });
  const chosen = candidates.find(({ fields }) => fields['user'] === user?.name) ?? candidates[0];
  if (chosen !== undefined) return hubEntry(files, chosen.name);
  throw new Error(`the current context "${context.name}" is tunnel "${tunnel}" of ${hub}, and no context leads there`);
}

function contextNames(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ kubeconfig }) => kubeconfig.contexts.map(({ name }) => name));
}

/**
 * The hub alone, as a kubeconfig for client-node. It does not know `tokenFile`, which its own auth provider of that name
 * reads as well.
 */
export function hubKubeconfig({ context, cluster, user }: HubEntry): string {
  const item = (list: ListName, { name, fields }: Entry) => [{ name, [LISTS[list]]: fields }];
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: item('clusters', cluster),
    users: user === undefined ? [] : item('users', { ...user, fields: readable(user.fields) }),
    contexts: item('contexts', context),
    'current-context': context.name,
  });
}

function readable({ tokenFile, ...fields }: Fields): Fields {
  if (typeof tokenFile !== 'string') return fields;
  return { ...fields, 'auth-provider': { name: 'tokenFile', config: { tokenFile } } };
}

function sourced(files: readonly SourceFile[], list: ListName, name: string): Sourced | undefined {
  for (const { path, kubeconfig } of files) {
    const found = kubeconfig[list].find((entry) => entry.name === name);
    if (found !== undefined) return { name, path, fields: withAbsolutePaths(found.fields, dirname(path)) };
  }
  return undefined;
}

const PATH_FIELDS = ['certificate-authority', 'client-certificate', 'client-key', 'tokenFile'];

/** Paths in a kubeconfig are relative to it. So is a plugin's, unless it is a bare name to be found in $PATH. */
function withAbsolutePaths(fields: Fields, folder: string): Fields {
  const absolute = (key: string, value: unknown): unknown => {
    if (key === 'exec' && isFields(value)) return absoluteCommand(value, folder);
    const isPath = PATH_FIELDS.includes(key) && typeof value === 'string' && value !== '';
    return isPath && !isAbsolute(value) ? resolve(folder, value) : value;
  };
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, absolute(key, value)]));
}

function absoluteCommand(exec: Fields, folder: string): Fields {
  const { command } = exec;
  const isRelative = typeof command === 'string' && command.includes('/') && !isAbsolute(command);
  return isRelative ? { ...exec, command: resolve(folder, command) } : exec;
}
