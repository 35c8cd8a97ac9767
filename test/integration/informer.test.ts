import { expect } from 'chai';
import { ConnectProxy } from '../agent/connect-proxy.ts';
import { Informer } from '../support/informer.ts';
import { describeLife } from '../support/life.ts';

const TUNNEL = 'far';
const NAMESPACE = 'default';
const CUTS = 20;
const COUNTER = `/api/v1/namespaces/${NAMESPACE}/configmaps`;

describeLife('a client-go informer through a tunnel that is cut again and again', { targets: 1 }, (life) => {
  let proxy: ConnectProxy;
  let informer: Informer;
  let count = 0;

  before(async function () {
    this.timeout(240_000);
    await Informer.build();
    proxy = await ConnectProxy.start();
    await life().create(TUNNEL, { agent: { placement: 'Manual', proxyURL: proxy.url } });
    await life().lab.applyManifest(TUNNEL, life().lab.target);
    await life().ready(TUNNEL);
    const admins = ['create', 'clusterrolebinding', 'admins', '--clusterrole=cluster-admin', '--group=lab:admins'];
    await life().lab.lab.kubectl(life().lab.target, admins);
    await change();
    informer = await Informer.start(life().lab.kubeconfigFor(TUNNEL, 'lab-admin'), NAMESPACE);
  });

  after(async () => {
    await informer?.stop();
    await proxy?.close();
  });

  /** One more at the target, directly: the counter's next number, and an object that comes and goes. */
  async function change(): Promise<void> {
    const { client } = life().lab.target;
    count += 1;
    const configMap = (name: string) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name },
      data: { count: String(count) },
    });
    if (count === 1) await client.call({ method: 'POST', path: COUNTER, body: configMap('counter') });
    else await client.call({ method: 'PUT', path: `${COUNTER}/counter`, body: configMap('counter') });
  }

  it(`lists once, and misses nothing in ${CUTS} cuts`, async function () {
    this.timeout(300_000);
    for (let cut = 1; cut <= CUTS; cut++) {
      await change();
      await informer.until(`change ${count}`, () => informer.counts.includes(count));
      proxy.cut();
      // While nobody is connected: these must come by the watch that goes on where the last one ended.
      for (let more = 0; more < 3; more++) await change();
      await informer.until(`change ${count} after cut ${cut}`, () => informer.counts.includes(count));
    }
    expect(proxy.destinations.length, 'connections of the agent').to.be.at.least(CUTS + 1);
    expect(informer.counts, 'every change, once, in order').to.deep.equal(
      Array.from({ length: count }, (_, at) => at + 1),
    );
    expect(informer.count('list'), 'lists').to.equal(1);
    expect(informer.count('missed')).to.equal(0);
  });
});
