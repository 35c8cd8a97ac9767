import { expect } from 'chai';
import { pod } from './stage/pods.ts';
import { onRealNodes, PROTOCOLS, session, stage, WAYS } from './stage/stage.ts';

const SCRIPT = 'echo ready; while read line; do echo "heard $line"; echo "noted $line" >&2; done; echo over';

for (const protocol of PROTOCOLS) {
  onRealNodes(`attach over ${protocol}, straight to the API server and through the gateway`, () => {
    it("joins the container's own process: stdin until its end, stdout and stderr apart", async () => {
      const seen: unknown[] = [];
      for (const way of WAYS) {
        const name = `listener-${way}-${protocol.toLowerCase()}`;
        const { lab, target } = stage();
        await lab.kubectl(target, ['apply', '-f', '-'], { input: JSON.stringify(pod(name, SCRIPT, { stdin: true })) });
        await lab.kubectl(target, ['wait', `pod/${name}`, '--for=condition=Ready', '--timeout=30s']);
        const attached = session(way, ['attach', '-i', name], protocol);
        attached.write('one\n');
        await attached.says(/heard one\n/);
        attached.write('two\n');
        attached.end();
        expect(await attached.exitCode, attached.stderr).to.equal(0);
        expect(attached.stdout).to.match(/heard one\nheard two\nover\n$/);
        expect(attached.stderr).to.contain('noted one\nnoted two\n');
        seen.push({ stdout: attached.stdout, stderr: attached.stderr.replaceAll(name, 'listener') });
        await lab.kubectl(target, ['delete', 'pod', name, '--wait=false']);
      }
      expect(seen[1]).to.deep.equal(seen[0]);
    });
  });
}
