import { expect } from 'chai';
import type { Volume } from '../../../../hack/lab/api/pod.ts';
import { ConfigError } from '../../../../hack/lab/node/config-error.ts';
import { volumeFiles } from '../../../../hack/lab/node/volume-files.ts';
import { facts, sources } from './pod-fixture.ts';

describe('hack/lab/node/volume-files', () => {
  const known = sources({ tls: { 'tls.crt': 'certificate', 'tls.key': 'key' } }, { settings: { 'a.yaml': 'a: 1' } });
  const filesOf = (volume: Omit<Volume, 'name'>): Record<string, [string, string]> => {
    const tokenOf = ({ audience }: { audience?: string | undefined }): string => `token for ${audience}`;
    const files = volumeFiles({ name: 'v', ...volume }, facts(), known, tokenOf);
    return Object.fromEntries(
      [...files].map(([path, { bytes, mode }]) => [path, [bytes.toString(), mode.toString(8)]]),
    );
  };

  it('shows every key of a Secret', () => {
    expect(filesOf({ secret: { secretName: 'tls', defaultMode: 0o400 } })).to.deep.equal({
      'tls.crt': ['certificate', '400'],
      'tls.key': ['key', '400'],
    });
  });

  it('shows listed keys under their own paths and modes', () => {
    const items = [{ key: 'tls.key', path: 'private/key.pem', mode: 0o600 }];
    expect(filesOf({ secret: { secretName: 'tls', items } })).to.deep.equal({ 'private/key.pem': ['key', '600'] });
  });

  it('projects several sources into one folder', () => {
    const projected = {
      sources: [
        { serviceAccountToken: { path: 'token', audience: 'gateway' } },
        { configMap: { name: 'settings' } },
        { secret: { name: 'tls', items: [{ key: 'tls.crt', path: 'ca.crt' }] } },
        { downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
      ],
    };
    expect(filesOf({ projected })).to.deep.equal({
      token: ['token for gateway', '600'],
      'a.yaml': ['a: 1', '644'],
      'ca.crt': ['certificate', '644'],
      labels: ['app="web"\ntier="front"', '644'],
    });
  });

  it('is empty for an optional object that is missing, and waits for any other', () => {
    expect(filesOf({ configMap: { name: 'gone', optional: true } })).to.deep.equal({});
    expect(() => filesOf({ configMap: { name: 'gone' } })).to.throw(ConfigError, 'configmap "gone" not found');
    const items = [{ key: 'none', path: 'x' }];
    expect(() => filesOf({ secret: { secretName: 'tls', items } })).to.throw(
      ConfigError,
      'non-existent config key: none',
    );
  });
});
