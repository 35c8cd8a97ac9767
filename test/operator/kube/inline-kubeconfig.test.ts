import { expect } from 'chai';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { digestOf, type InlineKubeconfig, parseInlineKubeconfig } from '../../../operator/kube/inline-kubeconfig.ts';
import { base64, createMaterial, type Material, type Written, written } from './inline-kubeconfigs.ts';

const SERVER = 'https://203.0.113.7:6443';
const TOKEN = 'a-token.with-dots_and-more';

function parse(input: Written | string) {
  return parseInlineKubeconfig(typeof input === 'string' ? input : stringify(input));
}

function troubleOf(input: Written | string): string {
  const verdict = parse(input);
  return 'trouble' in verdict ? verdict.trouble : 'accepted';
}

function accepted(input: Written | string): InlineKubeconfig {
  const verdict = parse(input);
  if ('trouble' in verdict) throw new Error(verdict.trouble);
  return verdict.kubeconfig;
}

describe('operator/kube/inline-kubeconfig', () => {
  let material: Material;
  before(async () => {
    material = await createMaterial();
  });

  describe('accepts', () => {
    it('a token', () => {
      const { server, token, caPem, certificatePem } = accepted(written({ server: SERVER }, { token: TOKEN }));
      expect({ server, token, caPem, certificatePem }).to.deep.equal({
        server: SERVER,
        token: TOKEN,
        caPem: undefined,
        certificatePem: undefined,
      });
    });

    it('a client certificate, authorities and a server name', () => {
      const { certData, keyData } = material.pair;
      const cluster = {
        server: `${SERVER}/`,
        'certificate-authority-data': material.caData,
        'tls-server-name': 'kubernetes.default',
        'disable-compression': true,
        'insecure-skip-tls-verify': false,
        'proxy-url': '',
        extensions: [{ name: 'x', extension: { a: 1 } }],
      };
      const user = { 'client-certificate-data': certData, 'client-key-data': keyData, username: '', 'as-groups': [] };
      const kubeconfig = accepted({ ...written(cluster, user), preferences: {} });
      expect(kubeconfig).to.include({ server: SERVER, token: undefined, tlsServerName: 'kubernetes.default' });
      expect(base64(kubeconfig.caPem ?? '')).to.equal(material.caData);
      expect(base64(kubeconfig.certificatePem ?? '')).to.equal(certData);
      expect(base64(kubeconfig.keyPem ?? '')).to.equal(keyData);
    });

    it('base64 that is broken into lines', () => {
      const lines = material.caData.match(/.{1,64}/g)?.join('\n');
      accepted(written({ server: SERVER, 'certificate-authority-data': lines }, { token: TOKEN }));
    });

    it('JSON, and a server below a path', () => {
      const config = written({ server: 'https://rancher.example/k8s/clusters/c-1/' }, { token: TOKEN });
      expect(accepted(JSON.stringify(config)).server).to.equal('https://rancher.example/k8s/clusters/c-1');
    });

    it('whatever stands in entries that the current context does not use', () => {
      const config = written({ server: SERVER }, { token: TOKEN });
      const kubeconfig = accepted({
        ...config,
        users: [{ name: 'old', user: { exec: { command: 'rm' } } }, ...(config.users as object[])],
        clusters: [{ name: 'old', cluster: { server: 'http://x', 'insecure-skip-tls-verify': true } }].concat(
          config.clusters as never,
        ),
      });
      expect(kubeconfig.token).to.equal(TOKEN);
    });
  });

  describe('refuses, naming the field', () => {
    const users: [string, object, string][] = [
      [
        'exec',
        { exec: { command: 'aws' } },
        'users[0].user.exec: exec plugins are not run by the operator: use a token',
      ],
      [
        'auth-provider',
        { 'auth-provider': { name: 'gcp' } },
        'users[0].user.auth-provider: auth providers are not run',
      ],
      ['a token file', { tokenFile: '/var/token' }, 'users[0].user.tokenFile: files are not read'],
      ['a certificate file', { 'client-certificate': '/x' }, 'users[0].user.client-certificate: files are not read'],
      ['a key file', { 'client-key': '/x' }, 'users[0].user.client-key: files are not read'],
      ['a user name', { username: 'admin' }, 'users[0].user.username: API servers know no passwords'],
      ['a password', { password: 'pw' }, 'users[0].user.password: API servers know no passwords'],
      ['impersonation', { as: 'root' }, 'users[0].user.as: the operator does not impersonate'],
      ['an impersonated uid', { 'as-uid': '1' }, 'users[0].user.as-uid: the operator does not impersonate'],
      ['impersonated groups', { 'as-groups': ['a'] }, 'users[0].user.as-groups: the operator does not impersonate'],
      ['extra', { 'as-user-extra': { a: ['b'] } }, 'users[0].user.as-user-extra: the operator does not impersonate'],
    ];
    for (const [name, user, expected] of users) {
      it(`${name}, even beside a token`, () => {
        expect(troubleOf(written({ server: SERVER }, { token: TOKEN, ...user }))).to.include(expected);
      });
    }

    const tokens: [string, unknown, string][] = [
      ['with a line break', `${TOKEN}\n`, 'users[0].user.token: must be one word'],
      ['with a space', 'a b', 'users[0].user.token: must be one word'],
      ['that is a number', 12345, 'users[0].user.token: must be text'],
      ['that is a list', ['a'], 'users[0].user.token: must be text'],
      ['that is far too long', 'a'.repeat(20_000), 'users[0].user.token: must be at most 16384 characters'],
    ];
    for (const [name, token, expected] of tokens) {
      it(`a token ${name}`, () => {
        expect(troubleOf(written({ server: SERVER }, { token }))).to.include(expected);
      });
    }

    const clusters: [string, object, string][] = [
      ['files', { 'certificate-authority': '/ca' }, 'clusters[0].cluster.certificate-authority: files are not read'],
      ['unverified TLS', { 'insecure-skip-tls-verify': true }, 'clusters[0].cluster.insecure-skip-tls-verify: the API'],
      ['a proxy', { 'proxy-url': 'socks5://x' }, 'clusters[0].cluster.proxy-url: the operator uses no proxy'],
      ['a server name that is an address', { 'tls-server-name': '10.0.0.1' }, 'tls-server-name: must be a DNS name'],
      ['authorities that are no base64', { 'certificate-authority-data': '%%%' }, 'must be text in base64'],
      ['authorities that are no PEM', { 'certificate-authority-data': base64('x') }, 'must be the base64 of certif'],
      [
        'authorities that are broken',
        { 'certificate-authority-data': base64('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n') },
        'clusters[0].cluster.certificate-authority-data: holds no valid certificate as its number 1',
      ],
      [
        'authorities that do not end',
        { 'certificate-authority-data': base64('-----BEGIN CERTIFICATE-----\n'.repeat(1_000)) },
        'must be the base64 of certificates',
      ],
    ];
    for (const [name, cluster, expected] of clusters) {
      it(name, () => {
        expect(troubleOf(written({ server: SERVER, ...cluster }, { token: TOKEN }))).to.include(expected);
      });
    }

    const servers: [string, unknown, string][] = [
      ['http', 'http://203.0.113.7', 'must be an https:// URL'],
      ['no scheme', '203.0.113.7:6443', 'must be a URL'],
      ['another scheme', 'ftp://x', 'must be an https:// URL'],
      ['a user', 'https://admin@203.0.113.7', 'must hold no user'],
      ['a password', 'https://admin:hunter2@203.0.113.7', 'must hold no user'],
      ['an empty user', 'https://@203.0.113.7', 'must hold no user'],
      ['a query', 'https://203.0.113.7/?a=b', 'must hold no query'],
      ['an empty query', 'https://203.0.113.7/?', 'must hold no query'],
      ['a fragment', 'https://203.0.113.7/#a', 'must hold no query'],
      ['a line break', 'https://203.0.113.7\n/', 'must be a URL'],
      ['a backslash', 'https://203.0.113.7\\@evil', 'must be a URL'],
      ['a number', 6443, 'must be text'],
      ['nothing', '', 'is missing'],
    ];
    for (const [name, server, expected] of servers) {
      it(`a server with ${name}`, () => {
        const trouble = troubleOf(written({ server }, { token: TOKEN }));
        expect(trouble).to.match(/^clusters\[0\]\.cluster\.server: /);
        expect(trouble).to.include(expected);
      });
    }

    it('a certificate without its key, and a key without its certificate', () => {
      const { certData, keyData } = material.pair;
      const withUser = (user: object) => troubleOf(written({ server: SERVER }, user));
      expect(withUser({ 'client-certificate-data': certData })).to.equal('users[0].user.client-key-data: is missing');
      expect(withUser({ 'client-key-data': keyData })).to.equal('users[0].user.client-certificate-data: is missing');
    });

    it('a certificate that does not belong to the key', () => {
      const user = { 'client-certificate-data': material.pair.certData, 'client-key-data': material.otherPair.keyData };
      expect(troubleOf(written({ server: SERVER }, user))).to.equal(
        'users[0].user.client-certificate-data: does not belong to client-key-data',
      );
    });

    it('a key with a passphrase', () => {
      const user = {
        'client-certificate-data': material.pair.certData,
        'client-key-data': material.encryptedKeyData,
      };
      expect(troubleOf(written({ server: SERVER }, user))).to.include(
        'client-key-data: must be the base64 of a private',
      );
    });

    it('a user without credentials', () => {
      expect(troubleOf(written({ server: SERVER }, { token: '' }))).to.include('users[0].user: holds no credential');
    });

    it('names that lead nowhere', () => {
      const config = written({ server: SERVER }, { token: TOKEN });
      expect(troubleOf({ ...config, 'current-context': undefined })).to.equal('current-context: is missing');
      expect(troubleOf({ ...config, 'current-context': 'other' })).to.equal(
        'current-context: no entry of contexts has this name',
      );
      expect(troubleOf({ ...config, clusters: [] })).to.equal('clusters: is missing');
      expect(troubleOf({ ...config, clusters: [{ name: 'other' }] })).to.equal(
        'contexts[0].context.cluster: no entry of clusters has this name',
      );
      expect(troubleOf({ ...config, users: [null, 'x', { name: 'other' }] })).to.equal(
        'contexts[0].context.user: no entry of users has this name',
      );
      expect(troubleOf({ ...config, users: 'x' })).to.equal('users: must be a list');
      expect(troubleOf({ ...config, users: [{ name: 'admin', user: 'x' }] })).to.equal(
        'users[0].user: must be a mapping',
      );
      expect(troubleOf({ ...config, 'current-context': '__proto__' })).to.include('no entry of contexts');
    });
  });

  describe('reads hostile text', () => {
    const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]']
      .concat('bcdefghij'.split('').map((each, i) => `${each}: &${each} [${`*${'abcdefghi'[i]},`.repeat(9)}]`))
      .join('\n');
    const texts: [string, string, string][] = [
      ['no text', '', 'is not one YAML document'],
      ['a list', '- a', 'is no mapping'],
      ['a word', 'hello', 'is no mapping'],
      ['two documents', 'a: 1\n---\nb: 2\n', 'is not one YAML document'],
      ['a tag', 'a: !!js/function x', 'is not one YAML document: see line 1, column 4'],
      ['a bomb of aliases', bomb, 'is not one YAML document: see line'],
      ['deep nesting', '['.repeat(200_000), 'is not one YAML document: see line'],
      ['deep indentation', Array.from({ length: 600 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'), 'see line'],
      ['more than 256 KiB', `a: ${'x'.repeat(300_000)}`, 'is longer than 256 KiB'],
      ['a duplicate key', 'a: 1\na: 2', 'is not one YAML document: see line 2'],
      ['a value that is no alias', 'token: *hunter2', 'is not one YAML document: see line 1'],
    ];
    for (const [name, text, expected] of texts) {
      it(name, () => {
        const trouble = troubleOf(text);
        expect(trouble).to.include(expected);
        expect(trouble).not.to.include('hunter2');
      });
    }

    it('property: any text is accepted or refused, never thrown at', () => {
      const yamlish = fc.stringMatching(/^[-{}[\]:,&*?|>'"!%#@a-c \n\t]{0,200}$/);
      fc.assert(
        fc.property(fc.oneof(fc.string(), yamlish, fc.json()), (text) => {
          expect(parse(text)).to.have.any.keys('trouble', 'kubeconfig');
        }),
      );
    });

    it('property: nothing that a field holds stands in a trouble', () => {
      // Words that are no part of our own: whatever of them is found in a trouble came out of the kubeconfig.
      const secret = fc.stringMatching(/^[QXZ][0-9qxz]{11,30}$/);
      const field = fc.constantFrom(
        ...['exec', 'auth-provider', 'tokenFile', 'client-certificate', 'client-key', 'username', 'password', 'as'],
        ...['as-groups', 'token', 'client-certificate-data', 'client-key-data', 'other'],
      );
      const value = fc.oneof(
        secret,
        secret.map((word) => `${word}\n`),
        secret.map(base64),
        fc.record({ command: secret }),
        fc.array(secret),
      );
      const server = fc.oneof(
        fc.constant(SERVER),
        secret,
        secret.map((word) => `https://${word}:${word}@x/?${word}`),
      );
      const top = fc.constantFrom('current-context', 'clusters', 'users', 'contexts', 'other');
      fc.assert(
        fc.property(fc.dictionary(field, value), server, fc.dictionary(top, value), (user, url, others) => {
          const text = stringify({ ...written({ server: url }, user), ...others });
          for (const each of [text, text.slice(0, text.length / 2), text.replace(/\n/g, '\n*')]) {
            expect(troubleOf(each)).not.to.match(/[QXZ][0-9qxz]{11}/);
            expect(troubleOf(each)).to.satisfy((trouble: string) => values(user).every((it) => !trouble.includes(it)));
          }
        }),
      );
    });
  });

  it('gives the same digest to what says the same, and another to each difference', () => {
    const key = new Uint8Array(32);
    const digest = (cluster: object, user: object, format: (config: Written) => string = stringify) =>
      digestOf(accepted(format(written(cluster, user))), key);
    const one = digest({ server: SERVER }, { token: TOKEN });
    expect(digest({ server: `${SERVER}/` }, { token: TOKEN }, JSON.stringify)).to.equal(one);
    const others = [
      digest({ server: `${SERVER}4` }, { token: TOKEN }),
      digest({ server: SERVER }, { token: `${TOKEN}2` }),
      digest({ server: SERVER, 'tls-server-name': 'x' }, { token: TOKEN }),
      digest({ server: SERVER, 'certificate-authority-data': material.caData }, { token: TOKEN }),
      digestOf(accepted(written({ server: SERVER }, { token: TOKEN })), new Uint8Array(32).fill(1)),
    ];
    expect(new Set([one, ...others]).size).to.equal(6);
  });
});

function values(user: Record<string, unknown>): string[] {
  return Object.values(user).filter((value) => typeof value === 'string');
}
