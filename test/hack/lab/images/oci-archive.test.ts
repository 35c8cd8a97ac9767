import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { librariesIn } from '../../../../hack/lab/images/libraries.ts';
import { ociArchive } from '../../../../hack/lab/images/oci-archive.ts';
import { tar } from '../../../../hack/lab/images/tar.ts';

const LAYER = tar([{ path: 'greeting', mode: 0o644, content: Buffer.from('hello') }]);
const ARCHIVE = ociArchive({ name: 'sample:1', layers: [LAYER], entrypoint: ['/bin/sh'], user: '65532:65532' });

const read = (path: string): Buffer =>
  execFileSync('tar', ['--extract', '--to-stdout', '--file=-', path], { input: ARCHIVE });
const json = (path: string) => JSON.parse(read(path).toString('utf8'));
const blob = (digest: string): string => `blobs/${digest.replace(':', '/')}`;

describe('hack/lab/images/oci-archive', () => {
  it('leads from the index by digests to the manifest, the configuration and the layers', () => {
    const [entry] = json('index.json').manifests;
    expect(entry.annotations).to.deep.equal({ 'io.containerd.image.name': 'docker.io/library/sample:1' });
    const manifest = json(blob(entry.digest));
    const { config, rootfs } = json(blob(manifest.config.digest));
    expect(config).to.deep.include({ Entrypoint: ['/bin/sh'], User: '65532:65532' });
    expect(rootfs.diff_ids).to.deep.equal([manifest.layers[0].digest]);
    expect(read(blob(manifest.layers[0].digest)).equals(LAYER)).to.equal(true);
    for (const { digest, size } of [entry, manifest.config, ...manifest.layers]) {
      const bytes = read(blob(digest));
      expect([size, digest]).to.deep.equal([
        bytes.length,
        `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
      ]);
    }
  });

  it('takes of what ldd says the libraries and the loader, and nothing that is no file', () => {
    const said = [
      '\tlinux-vdso.so.1 (0x00007f36b8f9a000)',
      '\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f36b8ea4000)',
      '\t/lib64/ld-linux-x86-64.so.2 (0x00007f36b8f9c000)',
      '',
    ];
    expect(librariesIn(said.join('\n'))).to.deep.equal([
      '/lib/x86_64-linux-gnu/libm.so.6',
      '/lib64/ld-linux-x86-64.so.2',
    ]);
  });
});
