import { createHash } from 'node:crypto';
import { platform } from '../binaries/versions.ts';
import { foldersAbove, type TarEntry, tar } from './tar.ts';

export interface Image {
  /** As pods name it: clustertunnel:0.1.0. */
  readonly name: string;
  /** Tar archives, the lowest first. */
  readonly layers: readonly Buffer[];
  readonly entrypoint: readonly string[];
  /** uid:gid; root if there is none. */
  readonly user?: string;
  readonly workingDir?: string;
}

interface Blob {
  readonly digest: string;
  readonly bytes: Buffer;
}

const TYPE = 'application/vnd.oci.image';

/** An image as one file that `ctr images import` reads: the OCI image layout in a tar archive, its layers not compressed. */
export function ociArchive(image: Image): Buffer {
  const layers = image.layers.map(blobOf);
  const config = json(configOf(image, layers));
  const described = (type: string, { digest, bytes }: Blob) => ({
    mediaType: `${TYPE}.${type}`,
    digest,
    size: bytes.length,
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: `${TYPE}.manifest.v1+json`,
    config: described('config.v1+json', config),
    layers: layers.map((layer) => described('layer.v1.tar', layer)),
  });
  const annotations = { 'io.containerd.image.name': fullName(image.name) };
  const index = { schemaVersion: 2, manifests: [{ ...described('manifest.v1+json', manifest), annotations }] };
  const files: TarEntry[] = [config, manifest, ...layers].map(({ digest, bytes }) => ({
    path: `blobs/${digest.replace(':', '/')}`,
    mode: 0o644,
    content: bytes,
  }));
  return tar([
    { path: 'oci-layout', mode: 0o644, content: json({ imageLayoutVersion: '1.0.0' }).bytes },
    { path: 'index.json', mode: 0o644, content: json(index).bytes },
    ...foldersAbove(files.map(({ path }) => path)),
    ...files,
  ]);
}

/** The name under which a container runtime looks for `clustertunnel:0.1.0`. */
export function fullName(name: string): string {
  return `docker.io/library/${name}`;
}

function configOf({ entrypoint, user, workingDir }: Image, layers: readonly Blob[]): object {
  const { os, arch } = platform();
  return {
    os,
    architecture: arch,
    config: {
      Entrypoint: entrypoint,
      Env: ['PATH=/usr/local/bin:/usr/bin:/bin'],
      WorkingDir: workingDir ?? '/',
      ...(user !== undefined && { User: user }),
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
  };
}

function json(value: unknown): Blob {
  return blobOf(Buffer.from(JSON.stringify(value)));
}

function blobOf(bytes: Buffer): Blob {
  return { bytes, digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}` };
}
