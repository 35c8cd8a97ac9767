import { join } from 'node:path';
import { expect } from 'chai';
import { type ClientsLab, HTTP2 } from '../../support/parity/clients-lab.ts';

/** The API server tells where its schemas are by paths of its own: client-go asks for them below the server's path. */
export function schemaSuite(lab: () => ClientsLab): void {
  describe('schemas are found below the path of a tunnel', () => {
    /** What kubectl asks for when it explains, if nothing is kept from before. */
    const askedFor = async (...args: string[]): Promise<string[]> => {
      const environment = { KUBECACHEDIR: join(lab().lab.dir, 'nothing-kept', args.join()) };
      const command = { args: ['explain', 'deployment', '--v=6', ...args], environment };
      const { exitCode, stderr } = await lab().kubectl(HTTP2, command);
      expect(exitCode, stderr).to.equal(0);
      const calls = [...stderr.matchAll(/url="([^"]+)" status="200 OK"/g)].map(([, url = '']) => url);
      return calls.map((url) => url.replace(lab().url(HTTP2), '')).filter((path) => path.includes('openapi'));
    };

    it('OpenAPI v3: one document, by its hash', async () => {
      const [index, document, ...more] = await askedFor();
      expect([index, more]).to.deep.equal(['/openapi/v3?timeout=32s', []]);
      expect(document).to.match(/^\/openapi\/v3\/apis\/apps\/v1\?hash=[0-9A-F]{128}&timeout=32s$/);
    });

    it('OpenAPI v2', async () => {
      expect(await askedFor('--output=plaintext-openapiv2')).to.deep.equal(['/openapi/v2?timeout=32s']);
    });
  });
}
