import { type Fields, isFields } from './document.ts';

/** On every entry that we write: which tunnel of which hub it leads to. */
export interface Marker {
  readonly tunnel: string;
  /** URL of the hub's API server. */
  readonly hub: string;
}

/** Name of the kubeconfig extension that holds the marker. */
const EXTENSION = 'clustertunnel.io';

/** The marker of an entry; undefined: it is not ours. */
export function markerOf(fields: Fields): Marker | undefined {
  const found = extensionsOf(fields).find(isOurs);
  const content = found?.['extension'];
  if (!isFields(content)) return undefined;
  const { tunnel, hub } = content;
  return typeof tunnel === 'string' && typeof hub === 'string' ? { tunnel, hub } : undefined;
}

export function isSameMarker(one: Marker | undefined, other: Marker): boolean {
  return one?.tunnel === other.tunnel && one.hub === other.hub;
}

/** The fields with the marker; extensions of others stay. */
export function marked(fields: Fields, { tunnel, hub }: Marker): Fields {
  const others = extensionsOf(fields).filter((extension) => !isOurs(extension));
  return { ...fields, extensions: [...others, { extension: { hub, tunnel }, name: EXTENSION }] };
}

function extensionsOf({ extensions }: Fields): Fields[] {
  return Array.isArray(extensions) ? extensions.filter(isFields) : [];
}

function isOurs({ name }: Fields): boolean {
  return name === EXTENSION;
}
