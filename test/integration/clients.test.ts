import { needControlPlane } from '../support/installed-lab.ts';
import { ClientsLab } from '../support/parity/clients-lab.ts';
import { clientGoSuite } from './clients/client-go.ts';
import { curlSuite } from './clients/curl.ts';
import { kubectlSuite } from './clients/kubectl.ts';
import { schemaSuite } from './clients/schema.ts';
import { withoutHttp2Suite } from './clients/without-http2.ts';
import { workSuite } from './clients/work.ts';

/** One lab for all clients; the last suite changes the operator. */
describe('what a client says and how it ends is the same through the gateway as directly', () => {
  let started: ClientsLab | undefined;

  before(async function () {
    needControlPlane(this);
    started = await ClientsLab.start();
  });

  after(async () => {
    await started?.stop();
  });

  const lab = (): ClientsLab => {
    if (started === undefined) throw new Error('the lab has not started');
    return started;
  };
  kubectlSuite(lab);
  workSuite(lab);
  curlSuite(lab);
  clientGoSuite(lab);
  schemaSuite(lab);
  withoutHttp2Suite(lab);
});
