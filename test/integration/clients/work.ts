import { findHelm } from '../../../hack/lab/binaries/locate.ts';
import { type ClientsLab, WAYS } from '../../support/parity/clients-lab.ts';
import { HELM_NAMESPACE, RELEASING } from '../../support/parity/helm-steps.ts';
import { inTurn } from '../../support/parity/in-turn.ts';
import { WORKING } from '../../support/parity/working.ts';
import { type Results, sameInAllWays } from './same.ts';

const HELM = findHelm();

/** kubectl's day and Helm's, in namespaces of their own, go on at the same time: much of both is waiting for pods. */
export function workSuite(lab: () => ClientsLab): void {
  describe('work', () => {
    let day: { results: Results; ended: Promise<unknown> } | undefined;
    let releases: typeof day;

    before(async () => {
      const clients = lab();
      await clients.lab.lab.kubectl(clients.lab.target, ['create', 'namespace', HELM_NAMESPACE]);
      day = inTurn(WAYS, WORKING, (way, command) => clients.kubectl(way, command));
      if ('files' in HELM)
        releases = inTurn(WAYS, RELEASING, (way, command) => clients.run(HELM.files.helm, way, command));
    });
    after(() => Promise.all([day?.ended, releases?.ended]));

    const resultsOf = (chain: typeof day): Results => {
      if (chain === undefined) throw new Error('nobody works yet');
      return chain.results;
    };
    sameInAllWays('kubectl', WORKING, () => resultsOf(day));
    if ('files' in HELM) sameInAllWays('helm', RELEASING, () => resultsOf(releases));
    else it.skip(`helm (${HELM.reason})`);
  });
}
