import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout this lab belongs to. */
export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** The Go module that the control plane and a node's programs are built from. */
export const BINARIES_MODULE = join(REPOSITORY, 'hack/lab/binaries');

/** The one of Helm: it follows another release of Kubernetes. */
export const HELM_MODULE = join(BINARIES_MODULE, 'helm');

/** What `make build` leaves: the program that the image would hold. */
export const PROGRAM = join(REPOSITORY, 'dist/cli/main.js');

/** Everything the lab `name` owns. @throws Error if the name could lead elsewhere */
export function labFolder(name: string): string {
  if (!/^[a-z0-9][a-z0-9-]{0,30}$/.test(name)) {
    throw new Error(`${JSON.stringify(name)} is no name for a lab: lower-case letters, digits and dashes, please.`);
  }
  return join(REPOSITORY, '.lab', name);
}

/** Our cache, shared by all checkouts of this user. */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  return join(environment['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'clustertunnel', 'control-plane');
}

/** Where setup-envtest keeps what it downloaded. */
export function envtestFolder(environment: NodeJS.ProcessEnv = process.env): string {
  return join(environment['XDG_DATA_HOME'] || join(homedir(), '.local/share'), 'kubebuilder-envtest', 'k8s');
}
