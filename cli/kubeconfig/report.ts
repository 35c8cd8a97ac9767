import { stringify } from 'yaml';
import { CommandError } from '../output.ts';
import { redactedUser } from './credential.ts';
import { LIST_NAMES, LISTS } from './document.ts';
import type { Change, Conflict, Wanted } from './merge.ts';

/** The entries, as a kubeconfig without secrets. */
export function shown(changes: readonly Change[], { name, isCurrent }: Wanted): string {
  const lists = LIST_NAMES.map((list) => [list, changes.filter((change) => change.list === list).map(shownItem)]);
  const current = isCurrent ? { 'current-context': name } : {};
  const kubeconfig = { apiVersion: 'v1', kind: 'Config', ...Object.fromEntries(lists), ...current };
  return stringify(kubeconfig, { lineWidth: 0, indentSeq: false });
}

function shownItem({ list, name, fields }: Change): object {
  return { [LISTS[list]]: list === 'users' ? redactedUser(fields) : fields, name };
}

/** What became of each entry, in one line. */
export function summary(changes: readonly Change[], { user, name, isCurrent }: Wanted): string {
  const done = changes.map(({ what, list, name: entry }) => `${LISTS[list]} "${entry}" ${what}`);
  const users = 'existing' in user ? [`user "${user.existing}" used as it is`] : [];
  return [...done, ...users, ...(isCurrent ? [`"${name}" is the current context`] : [])].join(', ');
}

/** The text as one word of a shell. */
export function shellWord(text: string): string {
  return /^[\w./:@+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** For an entry that leads elsewhere. */
export function conflictError({ list, name, marker }: Conflict, path: string): CommandError {
  const what = `${path} has a ${LISTS[list]} "${name}" already`;
  const why =
    marker === undefined ? 'it is not of this command' : `it leads to tunnel "${marker.tunnel}" of ${marker.hub}`;
  return new CommandError({
    what,
    why,
    remedy: 'choose another name with --set-context-name, or replace it with --force',
  });
}
