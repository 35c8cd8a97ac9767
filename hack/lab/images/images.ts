import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Progress } from '../progress.ts';
import { type Image, ociArchive } from './oci-archive.ts';
import { programImage } from './program-image.ts';
import { toolsImage } from './tools-image.ts';

/** An image as a file, ready to be imported. */
export interface ImageFile {
  readonly name: string;
  readonly path: string;
}

/** Makes the images of a lab with real nodes, without a registry and without a builder of images. */
export async function makeImages(folder: string, busybox: string, progress: Progress): Promise<ImageFile[]> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const make = async (making: () => Image | Promise<Image>): Promise<ImageFile> => {
    const startedMs = Date.now();
    const image = await making();
    const path = join(folder, `${image.name.replace(':', '-')}.tar`);
    writeFileSync(path, ociArchive(image));
    const layers = image.layers.map(({ length }) => `${(length / 1e6).toFixed(1)} MB`).join(' + ');
    progress(`image ${image.name}: ${layers}, made in ${((Date.now() - startedMs) / 1000).toFixed(1)} s`);
    return { name: image.name, path };
  };
  return [await make(programImage), await make(() => toolsImage(busybox))];
}
