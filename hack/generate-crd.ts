import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { crdManifest } from '../crds/manifest.ts';

const HEADER = '# Generated from crds/schema.ts by `npm run generate`. Do not edit.\n';
const path = fileURLToPath(new URL('../config/crd/bases/clustertunnel.io_clustertunnels.yaml', import.meta.url));

await mkdir(dirname(path), { recursive: true });
await writeFile(path, HEADER + stringify(crdManifest(), { lineWidth: 0, aliasDuplicateObjects: false }));
