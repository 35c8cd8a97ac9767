import { createHash } from 'node:crypto';
import { get } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { expect } from 'chai';
import { FILE_BYTES } from './stage/pods.ts';
import { at, onRealNodes, PROTOCOLS, session, WAYS } from './stage/stage.ts';

for (const protocol of PROTOCOLS) {
  onRealNodes(`port-forward over ${protocol}, straight to the API server and through the gateway`, () => {
    it('five connections at once, 5 MB each, all as they were; Ctrl-C ends it', async () => {
      const { stdout: wanted } = await at('direct', ['exec', 'web', '--', 'sha256sum', '/tmp/www/file']);
      for (const way of WAYS) {
        const forward = session(way, ['port-forward', 'pod/web', ':8080'], protocol);
        const [, port = ''] = await forward.says(/127\.0\.0\.1:(\d+) -> 8080/);
        const files = await Promise.all(Array.from({ length: 5 }, () => fetched(Number(port), '/file')));
        for (const file of files) {
          expect(file.length).to.equal(FILE_BYTES);
          expect(wanted).to.contain(createHash('sha256').update(file).digest('hex'));
        }
        forward.interrupt();
        await forward.exitCode;
      }
    });

    it('a port that nobody listens on: the connection ends, and kubectl says which', async () => {
      for (const way of WAYS) {
        const forward = session(way, ['port-forward', 'pod/web', ':9999'], protocol);
        const [, port = ''] = await forward.says(/127\.0\.0\.1:(\d+) -> 9999/);
        const failure = await fetched(Number(port), '/').catch((error: NodeJS.ErrnoException) => error.code);
        expect(failure).to.be.oneOf(['ECONNRESET', 'EPIPE']);
        expect(await forward.exitCode).to.equal(1);
        expect(forward.stderr).to.contain('9999');
      }
    });
  });
}

function fetched(port: number, path: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path, agent: false, timeout: 20_000 }, (response) =>
      resolve(buffer(response)),
    );
    request.once('timeout', () => request.destroy(new Error('no answer in 20 s')));
    request.once('error', reject);
  });
}
