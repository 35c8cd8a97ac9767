import { expect } from 'chai';
import { KubeconfigSecrets, kubeconfigsIn } from '../../../../operator/controller/clusters/kubeconfig-secrets.ts';
import type { DataObject } from '../../../../operator/kube/objects.ts';
import { Store } from '../../../../operator/kube/store.ts';
import { base64, written } from '../../kube/inline-kubeconfigs.ts';

const namespace = 'clustertunnel-system';
const good = JSON.stringify(written({ server: 'https://203.0.113.7:6443' }, { token: 'a-token' }));
const ref = { name: 'prod', key: 'kubeconfig' };

function secret(texts: Readonly<Record<string, string>>, name = 'prod'): DataObject {
  const data = Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, base64(text)]));
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace, resourceVersion: '1' }, data };
}

function secretsOf(...objects: DataObject[]) {
  const store = new Store<DataObject>();
  for (const object of objects) store.set(kubeconfigsIn(object));
  return { store, kubeconfigs: new KubeconfigSecrets(store, namespace) };
}

describe('operator/controller/clusters/kubeconfig-secrets', () => {
  it('finds the kubeconfig, and parses it once until the Secret changes', () => {
    const { store, kubeconfigs } = secretsOf(secret({ kubeconfig: good, other: good }));
    const found = kubeconfigs.find(ref);
    expect(found).to.have.nested.property('kubeconfig.server', 'https://203.0.113.7:6443');
    expect(kubeconfigs.find(ref)).to.equal(found);
    expect(kubeconfigs.find({ ...ref, key: 'other' })).not.to.equal(found);
    store.set(kubeconfigsIn(secret({ kubeconfig: good })));
    expect(kubeconfigs.find(ref)).not.to.equal(found);
  });

  const troubles: [string, DataObject[], string, string][] = [
    [
      'no Secret',
      [],
      'KubeconfigMissing',
      'Secret clustertunnel-system/prod does not exist: create it with the kubeconfig under the key "kubeconfig".',
    ],
    [
      'no key',
      [secret({ value: good })],
      'KubeconfigMissing',
      'Secret clustertunnel-system/prod has no key "kubeconfig": put the kubeconfig there, or name its key in kubeconfigSecretRef.key.',
    ],
    [
      'a refused field',
      [
        secret({
          kubeconfig: JSON.stringify(written({ server: 'https://x' }, { exec: { command: 'aws' }, token: 'hunter2' })),
        }),
      ],
      'KubeconfigRefused',
      'Secret clustertunnel-system/prod, key "kubeconfig": users[0].user.exec: exec plugins are not run by the operator: use a token, or client-certificate-data and client-key-data.',
    ],
    [
      'something else than a kubeconfig',
      [secret({ kubeconfig: '-----BEGIN PRIVATE KEY-----' })],
      'KubeconfigRefused',
      'Secret clustertunnel-system/prod, key "kubeconfig": is no kubeconfig of at most 256 KiB.',
    ],
    [
      'a text that is too long',
      [secret({ kubeconfig: `${good}${' '.repeat(300_000)}` })],
      'KubeconfigRefused',
      'Secret clustertunnel-system/prod, key "kubeconfig": is no kubeconfig of at most 256 KiB.',
    ],
  ];
  for (const [name, objects, reason, message] of troubles) {
    it(`tells ${name}`, () => {
      const { kubeconfigs } = secretsOf(...objects);
      expect(kubeconfigs.find(ref)).to.deep.equal({ trouble: { reason, message } });
    });
  }

  it('keeps nothing of a Secret but its kubeconfigs', () => {
    const kept = kubeconfigsIn(secret({ kubeconfig: good, 'tls.key': 'private', password: 'hunter2' }));
    expect(kept.data).to.deep.equal({ kubeconfig: base64(good), 'tls.key': '', password: '' });
  });
});
