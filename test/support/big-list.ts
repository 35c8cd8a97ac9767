import { createHash, randomBytes } from 'node:crypto';
import type { Cluster } from '../../hack/lab/lab.ts';

/** More than the sockets between agent, gateway and client can hold: a reader who stops holds the request open. */
const OBJECTS = 40;
/** Of text in each object; etcd takes 1.5 MiB a request. */
const OBJECT_BYTES = 1_000_000;
const NAMESPACE = 'big';
const WRITERS = 4;
const WRITE_TIMEOUT_MS = 60_000;

interface ConfigMapList {
  readonly items: readonly { readonly data: { readonly text: string } }[];
}

/** 40 MB of ConfigMaps in a cluster: a list of them takes a while. */
export class BigList {
  /** Of the collection, at the cluster's API server. */
  readonly path = `/api/v1/namespaces/${NAMESPACE}/configmaps?labelSelector=test%3Dbig`;
  readonly #digest: string;

  private constructor(digest: string) {
    this.#digest = digest;
  }

  /** Writes them. Random text: nothing on the way can make it small. */
  static async write({ client }: Cluster): Promise<BigList> {
    await client.call({ method: 'POST', path: '/api/v1/namespaces', body: { metadata: { name: NAMESPACE } } });
    const texts = Array.from({ length: OBJECTS }, () => randomBytes((OBJECT_BYTES * 3) / 4).toString('base64'));
    const path = `/api/v1/namespaces/${NAMESPACE}/configmaps`;
    const left = [...texts.entries()];
    const writer = async (): Promise<void> => {
      for (let next = left.pop(); next !== undefined; next = left.pop()) {
        const [index, text] = next;
        const metadata = { name: `big-${String(index).padStart(2, '0')}`, labels: { test: 'big' } };
        const body = { metadata, data: { text } };
        await client.call({ method: 'POST', path, body, timeoutMs: WRITE_TIMEOUT_MS });
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, writer));
    return new BigList(digestOf(texts));
  }

  /** Whether an answer has every byte of every object: lists come in the order of names. */
  isWhole(body: Buffer): boolean {
    const { items } = JSON.parse(body.toString('utf8')) as ConfigMapList;
    return digestOf(items.map(({ data }) => data.text)) === this.#digest;
  }
}

function digestOf(texts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(text).update('\n');
  return hash.digest('hex');
}
