import { dumpYaml } from '@kubernetes/client-node';
import type { KubeObject } from './objects.ts';

/** The objects as one multi-document text for `kubectl apply -f -`. */
export function yamlDocuments(objects: readonly KubeObject[]): string {
  return objects.map((object) => `---\n${dumpYaml(object, { noRefs: true, lineWidth: -1 })}`).join('');
}
