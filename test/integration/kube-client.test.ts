import { expect } from 'chai';
import { applyObject } from '../../operator/kube/apply.ts';
import { isConflict } from '../../operator/kube/errors.ts';
import { LeaderElection } from '../../operator/kube/lease.ts';
import { type DataObject, RESOURCES } from '../../operator/kube/objects.ts';
import { Reflector } from '../../operator/kube/reflector.ts';
import { Store } from '../../operator/kube/store.ts';
import { pause, systemClock } from '../../process/clock.ts';
import { silentLogger } from '../../process/log.ts';
import { describeOnHub, type Hub, startHub, until } from '../operator/kube/hub.ts';

const signal = new AbortController().signal;
const namespace = 'default';

const configMap = (name: string, text: string): DataObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace, labels: { test: 'reflector' } },
  data: { text },
});

describeOnHub('integration/kube-client', function () {
  this.timeout(60_000);
  let hub: Hub;

  before(async () => {
    hub = await startHub('kube');
  });

  after(() => hub?.stop());

  it('applies, finds, replaces with a lock, and deletes', async () => {
    const address = { namespace, name: 'one' };
    const applied = await applyObject(hub.client, configMap('one', 'a'), signal);
    const replaced = { ...applied, data: { text: 'b' } };
    await hub.client.replace(RESOURCES.configMap, address, replaced, signal);
    const error = await hub.client
      .replace(RESOURCES.configMap, address, replaced, signal)
      .catch((thrown: unknown) => thrown);
    expect(isConflict(error)).to.equal(true);
    expect(await hub.client.delete(RESOURCES.configMap, address, signal)).to.equal(true);
    expect(await hub.client.delete(RESOURCES.configMap, address, signal)).to.equal(false);
    expect(await hub.client.find(RESOURCES.configMap, address, signal)).to.equal(undefined);
  });

  it('follows a collection through the restart of its API server', async () => {
    const store = new Store<DataObject>();
    const stop = new AbortController();
    const reflector = new Reflector<DataObject>({
      client: hub.client,
      resource: RESOURCES.configMap,
      address: { namespace },
      labelSelector: 'test=reflector',
      store,
      clock: systemClock,
      log: silentLogger,
      random: Math.random,
    });
    const running = reflector.run(stop.signal);
    await reflector.synced;
    const texts = () => store.list().map(({ metadata, data }) => `${metadata.name}=${data?.['text']}`);
    await applyObject(hub.client, configMap('a', '1'), signal);
    await applyObject(hub.client, configMap('b', '1'), signal);
    await until('two objects', () => texts().length === 2);
    await hub.cluster.apiServer.stop();
    await hub.cluster.apiServer.start();
    await hub.client.delete(RESOURCES.configMap, { namespace, name: 'a' }, signal);
    await applyObject(hub.client, configMap('b', '2'), signal);
    await until('the latest state', () => texts().join() === 'b=2');
    stop.abort(new Error('test over'));
    await running;
  });

  it('lets one of two lead on a real Lease, and hands over on release', async () => {
    const competitor = (identity: string) => {
      const stop = new AbortController();
      const options = {
        client: hub.client,
        clock: systemClock,
        log: silentLogger,
        namespace,
        name: 'leader',
        identity,
      };
      const election = new LeaderElection(options);
      const running = election.run(stop.signal, (term) => pause(systemClock, 60_000, term));
      const end = () => {
        stop.abort(new Error('test over'));
        return running;
      };
      return { election, end };
    };
    const a = competitor('a');
    await until('a to lead', () => a.election.isLeader);
    const b = competitor('b');
    await pause(systemClock, 500, signal);
    expect(b.election.isLeader).to.equal(false);
    await a.end();
    await until('b to lead', () => b.election.isLeader);
    await b.end();
  });
});
