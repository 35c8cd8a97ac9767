import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { parse } from 'yaml';
import { crdManifest } from '../../crds/manifest.ts';
import { RULES_KEYWORD } from '../../crds/rules.ts';

const FILE = new URL('../../config/crd/bases/clustertunnel.io_clustertunnels.yaml', import.meta.url);

/** Every object below `value` with its path. */
function* walk(value: unknown, path = ''): Generator<[path: string, node: Record<string, unknown>]> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield [path, value as Record<string, unknown>];
  for (const [name, entry] of Object.entries(value)) yield* walk(entry, `${path}.${name}`);
}

describe('crds/manifest', () => {
  it('is what config/ holds: run `npm run generate` after a change of the schema', () => {
    expect(parse(readFileSync(FILE, 'utf8'))).to.deep.equal(JSON.parse(JSON.stringify(crdManifest())));
  });

  it('says nothing that a structural schema may not say', () => {
    for (const [path, node] of walk(crdManifest())) {
      expect(node['additionalProperties'], path).not.to.equal(false);
      expect(Object.keys(node), path).not.to.include(RULES_KEYWORD);
    }
  });

  it('describes every field of spec and status', () => {
    for (const [path, node] of walk(crdManifest())) {
      const isField =
        /\.(spec|status)(\.properties\.\w+)*\.properties\.\w+$/.test(path) && path.includes('openAPIV3Schema');
      if (isField) expect(node['description'], path).to.be.a('string');
    }
  });
});
