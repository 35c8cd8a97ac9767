import { KubeConfig } from '@kubernetes/client-node';
import { expect } from 'chai';
import { parseKubeconfig } from '../../../cli/kubeconfig/document.ts';
import { findHub, hubKubeconfig } from '../../../cli/kubeconfig/find-hub.ts';

const file = (path: string, root: object) => ({ path, kubeconfig: parseKubeconfig(JSON.stringify(root)) });

const HUB = {
  clusters: [{ name: 'hub', cluster: { server: 'https://hub', 'certificate-authority': 'pki/ca.crt' } }],
  users: [{ name: 'alice', user: { tokenFile: 'token', 'client-key': '/abs/key', exec: { command: './bin/login' } } }],
  contexts: [{ name: 'hub', context: { cluster: 'hub', user: 'alice' } }],
  'current-context': 'hub',
};

describe('cli/kubeconfig/find-hub', () => {
  it('finds the current context, its cluster and its user, and makes paths absolute as kubectl does', () => {
    const { context, cluster, user } = findHub([file('/home/a/.kube/config', HUB)], undefined);
    expect(context.name).to.equal('hub');
    expect(cluster.fields['certificate-authority']).to.equal('/home/a/.kube/pki/ca.crt');
    expect(user).to.deep.equal({
      name: 'alice',
      path: '/home/a/.kube/config',
      fields: {
        tokenFile: '/home/a/.kube/token',
        'client-key': '/abs/key',
        exec: { command: '/home/a/.kube/bin/login' },
      },
    });
  });

  it('leaves a plugin alone that is found in $PATH', () => {
    const users = [{ name: 'alice', user: { exec: { command: 'login' } } }];
    const { user } = findHub([file('/f', { ...HUB, users })], 'hub');
    expect(user?.fields['exec']).to.deep.equal({ command: 'login' });
  });

  it('of several files the first one counts that has a name, and the first current context', () => {
    const first = file('/one', { users: [{ name: 'alice', user: { token: 'one' } }] });
    const third = file('/three', { ...HUB, 'current-context': 'elsewhere' });
    const { user, cluster } = findHub([first, file('/two', HUB), third], undefined);
    expect(user).to.include({ path: '/one' });
    expect(cluster.path).to.equal('/two');
  });

  const missing: readonly (readonly [what: string, root: object, context: string | undefined, why: RegExp])[] = [
    ['no current context', { ...HUB, 'current-context': '' }, undefined, /no current context: name one with --context/],
    ['an unknown context', HUB, 'nope', /no context "nope": it has hub/],
    ['a missing cluster', { ...HUB, clusters: [] }, undefined, /names cluster "hub", which is not there/],
    ['a missing user', { ...HUB, users: [] }, undefined, /names user "alice", which is not there/],
  ];
  for (const [what, root, context, why] of missing) {
    it(`says so about ${what}`, () => expect(() => findHub([file('/f', root)], context)).to.throw(why));
  }

  describe('when the current context is a tunnel', () => {
    const extensions = [{ name: 'clustertunnel.io', extension: { tunnel: 'prod', hub: 'https://hub' } }];
    const tunnel = (user: string) => ({
      clusters: [{ name: 'prod', cluster: { server: 'https://gateway/clusters/prod', extensions } }],
      contexts: [{ name: 'prod', context: { cluster: 'prod', user } }],
      users: [{ name: 'prod', user: { token: 'x' } }],
      'current-context': 'prod',
    });
    const admin = {
      contexts: [{ name: 'root@hub', context: { cluster: 'hub', user: 'root' } }],
      users: [{ name: 'root', user: {} }],
    };
    it('its hub is meant, with the same user', () => {
      const files = [file('/tunnel', tunnel('alice')), file('/root', admin), file('/hub', HUB)];
      expect(findHub(files, undefined).context.name).to.equal('hub');
    });
    it('its hub is meant, with the first user who has it', () => {
      const files = [file('/tunnel', tunnel('prod')), file('/root', admin), file('/hub', HUB)];
      expect(findHub(files, undefined).context.name).to.equal('root@hub');
    });
    it('the tunnel is meant when it is named', () => {
      const files = [file('/tunnel', tunnel('prod')), file('/hub', HUB)];
      expect(findHub(files, 'prod').cluster.name).to.equal('prod');
    });
    it('it says so when no context leads to the hub', () => {
      expect(() => findHub([file('/tunnel', tunnel('prod'))], undefined)).to.throw(
        'the current context "prod" is tunnel "prod" of https://hub, and no context leads there',
      );
    });
  });

  it('becomes a kubeconfig of its own that client-node loads, token files included', () => {
    const config = new KubeConfig();
    config.loadFromString(hubKubeconfig(findHub([file('/d/f', HUB)], undefined)));
    expect(config.getCurrentCluster()).to.include({ server: 'https://hub', caFile: '/d/pki/ca.crt' });
    expect(config.getCurrentUser()?.authProvider).to.deep.equal({
      name: 'tokenFile',
      config: { tokenFile: '/d/token' },
    });
  });
});
