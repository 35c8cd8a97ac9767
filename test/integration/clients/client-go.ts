import { expect } from 'chai';
import { goProgram } from '../../support/go-program.ts';
import { type ClientsLab, WAYS, type Way } from '../../support/parity/clients-lab.ts';

/** What Argo CD and controllers use beside informers: hack/informer/once. */
export function clientGoSuite(lab: () => ClientsLab): void {
  it('client-go: typed over protobuf, dynamic, metadata, discovery and every schema', async () => {
    const program = await goProgram('once');
    const run = (way: Way, at: number) => lab().run(program, way, { args: ['--name', `once-${at}`] });
    const [direct, ...through] = await Promise.all(WAYS.map(run));
    expect(direct?.exitCode, direct?.stderr).to.equal(0);
    for (const one of through) expect(one).to.deep.equal(direct);
  });
}
