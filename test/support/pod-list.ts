import { createHash } from 'node:crypto';

/** A list of pods as an API server writes it, of at least `leastBytes`: objects of a kind, each with hashes of its own. */
export function podList(leastBytes: number): Buffer {
  const items: string[] = [];
  for (let bytes = 0; bytes < leastBytes; bytes += items.at(-1)?.length ?? 0)
    items.push(JSON.stringify(pod(items.length)));
  return Buffer.from(
    `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[${items.join()}]}\n`,
  );
}

function pod(index: number): object {
  const digest = createHash('sha256').update(String(index)).digest('hex');
  const app = ['cart', 'search', 'ledger'][index % 3];
  const image = `registry.example/${app}@sha256:${digest}`;
  const time = new Date(1.7e12 + index * 1e6).toISOString();
  return {
    metadata: {
      name: `${app}-${digest.slice(0, 10)}-${digest.slice(10, 15)}`,
      namespace: 'default',
      uid: digest.slice(16, 48),
      resourceVersion: String(1000 + index),
      creationTimestamp: time,
      labels: { app, 'pod-template-hash': digest.slice(0, 10), 'app.kubernetes.io/name': app },
      managedFields: [{ manager: 'kubelet', operation: 'Update', apiVersion: 'v1', time, fieldsType: 'FieldsV1' }],
    },
    spec: {
      containers: [{ name: app, image, ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }] }],
      tolerations: [{ key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' }],
      serviceAccountName: 'default',
    },
    status: {
      phase: 'Running',
      conditions: ['Initialized', 'Ready', 'PodScheduled'].map((type) => ({
        type,
        status: 'True',
        lastTransitionTime: time,
      })),
      containerStatuses: [{ name: app, image, imageID: image, ready: true, restartCount: index % 4 }],
    },
  };
}
