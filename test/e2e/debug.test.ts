import { expect } from 'chai';
import { TOOLS_IMAGE } from '../../hack/lab/images/tools-image.ts';
import { at, onRealNodes, PROTOCOLS, session, WAYS } from './stage/stage.ts';

/** Nobody tells a debugging container that its client's input has ended. */
const SCRIPT = 'read line; echo "heard $line"; ls /proc/1/root/bin/busybox; read line; echo "$line, then"';

for (const protocol of PROTOCOLS) {
  onRealNodes(`debug over ${protocol}, straight to the API server and through the gateway`, () => {
    it('adds a container to a running pod and talks to it until it ends', async () => {
      const seen: unknown[] = [];
      for (const way of WAYS) {
        const name = `debugger-${way}-${protocol.toLowerCase()}`;
        const flags = [`--image=${TOOLS_IMAGE}`, `--container=${name}`, '--target=main', '--profile=general'];
        const debugging = session(way, ['debug', 'patient', '-i', ...flags, '--', 'sh', '-c', SCRIPT], protocol);
        debugging.write('one\n');
        await debugging.says(/heard one\n.*busybox\n/);
        debugging.write('bye\n');
        const exitCode = await debugging.exitCode;
        expect(exitCode, debugging.stderr).to.equal(0);
        expect(debugging.stdout).to.match(/bye, then\n$/);
        const { stdout } = await at(way, [
          'get',
          'pod',
          'patient',
          '-o',
          'jsonpath={.spec.ephemeralContainers[*].name}',
        ]);
        expect(stdout.split(' ')).to.include(name);
        const words = debugging.stderr.replaceAll(name, 'debugger');
        seen.push({ stdout: debugging.stdout, words });
      }
      expect(seen[1]).to.deep.equal(seen[0]);
    });
  });
}
