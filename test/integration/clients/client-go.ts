import { expect } from 'chai';
import { goProgram } from '../../support/go-program.ts';
import { type ClientsLab, WAYS } from '../../support/parity/clients-lab.ts';

/** What Argo CD and controllers use beside informers: hack/informer/once. */
export function clientGoSuite(lab: () => ClientsLab): void {
  it('client-go: typed over protobuf, dynamic, metadata, discovery and every schema', async () => {
    const program = await goProgram('once');
    const said: string[] = [];
    for (const way of WAYS) {
      const { exitCode, stdout, stderr } = await lab().run(program, way, { args: [] });
      expect(exitCode, `${way.name}: ${stderr}`).to.equal(0);
      said.push(stdout);
    }
    const [direct, ...through] = said;
    for (const one of through) expect(one).to.equal(direct);
  });
}
