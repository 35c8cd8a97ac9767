import { type InlineKubeconfig, parseInlineKubeconfig } from '../../kube/inline-kubeconfig.ts';
import type { DataObject } from '../../kube/objects.ts';
import type { StoreReader } from '../../kube/store.ts';

/** Which key of which Secret in the operator's namespace. */
export interface KubeconfigRef {
  readonly name: string;
  readonly key: string;
}

/** Why there is no kubeconfig. The message names Secret, key and field, and holds nothing of what they hold. */
export interface KubeconfigTrouble {
  readonly reason: 'KubeconfigMissing' | 'KubeconfigRefused';
  readonly message: string;
}

export type KubeconfigChoice = { readonly kubeconfig: InlineKubeconfig } | { readonly trouble: KubeconfigTrouble };

/** Every kubeconfig has this word: what has not is no kubeconfig, and none of our business. */
const TELL_TALE = 'clusters';
/** A little more than base64 of the longest text that is read. */
const MAX_KEPT_LENGTH = 400_000;

/**
 * What is kept of a Secret of the operator's namespace: its kubeconfigs. Of other values only the key stays, with an empty
 * value: there may be private keys and tokens among them, and large ones.
 */
export function kubeconfigsIn({ apiVersion, kind, metadata, data = {} }: DataObject): DataObject {
  const { name, namespace = '', resourceVersion = '' } = metadata;
  const kept = Object.entries(data).map(([key, value]) => [key, mayBeKubeconfig(value) ? value : '']);
  return { apiVersion, kind, metadata: { name, namespace, resourceVersion }, data: Object.fromEntries(kept) };
}

function mayBeKubeconfig(value: string): boolean {
  return value.length <= MAX_KEPT_LENGTH && Buffer.from(value, 'base64').includes(TELL_TALE);
}

/** The kubeconfigs that Secrets hold, as the watch last told; each is parsed once. */
export class KubeconfigSecrets {
  readonly #secrets: Pick<StoreReader<DataObject>, 'get' | 'revision'>;
  readonly #namespace: string;
  /** A changed Secret is another object. */
  readonly #parsed = new WeakMap<DataObject, Map<string, KubeconfigChoice>>();

  constructor(secrets: Pick<StoreReader<DataObject>, 'get' | 'revision'>, namespace: string) {
    this.#secrets = secrets;
    this.#namespace = namespace;
  }

  /** Grows with every change. */
  get revision(): number {
    return this.#secrets.revision;
  }

  /** The same object for the same Secret and key, until the Secret changes. */
  find({ name, key }: KubeconfigRef): KubeconfigChoice {
    const place = `${this.#namespace}/${name}`;
    const secret = this.#secrets.get(place);
    if (secret === undefined) {
      return missing(`Secret ${place} does not exist: create it with the kubeconfig under the key "${key}".`);
    }
    const known = this.#parsed.get(secret) ?? new Map<string, KubeconfigChoice>();
    this.#parsed.set(secret, known);
    const choice = known.get(key) ?? read(secret, `Secret ${place}`, key);
    known.set(key, choice);
    return choice;
  }
}

function read({ data = {} }: DataObject, place: string, key: string): KubeconfigChoice {
  if (!Object.hasOwn(data, key)) {
    return missing(
      `${place} has no key "${key}": put the kubeconfig there, or name its key in kubeconfigSecretRef.key.`,
    );
  }
  const text = Buffer.from(data[key] ?? '', 'base64').toString('utf8');
  const verdict = text === '' ? { trouble: 'is no kubeconfig of at most 256 KiB' } : parseInlineKubeconfig(text);
  if ('kubeconfig' in verdict) return verdict;
  const message = `${place}, key "${key}": ${verdict.trouble}.`;
  return { trouble: { reason: 'KubeconfigRefused', message } };
}

function missing(message: string): KubeconfigChoice {
  return { trouble: { reason: 'KubeconfigMissing', message } };
}
