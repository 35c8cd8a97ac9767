export const NAMESPACE = 'parity';

const metadata = (name: string) => ({ name, namespace: NAMESPACE });

/** Objects of the day of work, as kubectl reads them from its standard input. */
export const configMap = (data: Record<string, string>) =>
  JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata('settings'), data });

/** One pod that says what it is asked for, and ends at once when told to. */
export const statefulSet = (args: readonly string[]) =>
  JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: metadata('web'),
    spec: {
      serviceName: 'web',
      replicas: 1,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              ...{ name: 'web', image: 'chatter:v1', args },
              env: [{ name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }],
            },
          ],
        },
      },
    },
  });

/** A pod with variables that hide each other: the API server warns of each. */
export const TWICE = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: metadata('twice'),
  spec: {
    containers: [
      { name: 'twice', image: 'chatter:v1', env: ['A', 'A', 'B', 'B'].map((name) => ({ name, value: name })) },
    ],
  },
});

/** An Event about the ConfigMap: kubectl shows nothing else when asked for those about it. */
export const EVENT = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Event',
  metadata: metadata('settings.1'),
  type: 'Warning',
  reason: 'Faded',
  message: 'the color is not what it was',
  involvedObject: { apiVersion: 'v1', kind: 'ConfigMap', ...metadata('settings') },
  firstTimestamp: '2026-01-01T00:00:00Z',
  lastTimestamp: '2026-01-01T00:00:00Z',
  count: 1,
});

/** `openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -subj /CN=parity`, in base64. */
const REQUEST =
  'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlITE1ITUNBUUF3RVRFUE1BMEdBMVVFQXd3R2NHRnlhWFI1TUZrd0V3WUhLb1pJemowQ0FRWUlLb1pJemowRApBUWNEUWdBRVRxVGxVU2cyS1RBSTJ2ZHYzL2lQY2F5UWRBZTVFNzJEbGFjVHF4YWdkUlhxV3VDMlQvcGNiVWEwCldaVmRPVkFWb3M5VU9OK21Gb0RlcUpMTmNVbkVXNkFBTUFvR0NDcUdTTTQ5QkFNQ0EwZ0FNRVVDSUVySHhDWjQKeUxDQ3dKOE41aEVoRDJ0czNDN2w2UEl5cDhQeVFhZ1BVOUhvQWlFQXZjNURuMG92R2lBRGduQ1FwYTU4b0xEVgpDN2crTjd4dDJDRDROekg5THB3PQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K';

export const SIGNING_REQUEST = JSON.stringify({
  apiVersion: 'certificates.k8s.io/v1',
  kind: 'CertificateSigningRequest',
  metadata: { name: NAMESPACE },
  spec: { request: REQUEST, signerName: 'example.com/parity', usages: ['client auth'] },
});
