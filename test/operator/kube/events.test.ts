import { expect } from 'chai';
import { createEventRecorder } from '../../../operator/kube/events.ts';
import { silentLogger } from '../../../process/log.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const tunnel = {
  apiVersion: 'clustertunnel.io/v1alpha1',
  kind: 'ClusterTunnel',
  metadata: { name: 'prod', uid: 'uid-1' },
};
const event = { regarding: tunnel, type: 'Normal', reason: 'SessionOpen', action: 'Reconcile', note: 'n' } as const;

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

function recorder(create: (body: unknown) => Promise<unknown>) {
  const clock = new ManualClock();
  const client = { create: <T>(_: unknown, __: unknown, body: unknown) => create(body) as Promise<T> };
  const options = { client, clock, log: silentLogger, controller: 'clustertunnel.io/controller', instance: 'pod-1' };
  return { clock, events: createEventRecorder(options) };
}

describe('operator/kube/events', () => {
  it('records an event about a cluster-scoped object in the namespace default', async () => {
    const bodies: unknown[] = [];
    const { events } = recorder(async (body) => bodies.push(body));
    events.record(event);
    await settle();
    expect(bodies).to.have.length(1);
    expect(bodies[0]).to.deep.include({
      apiVersion: 'events.k8s.io/v1',
      type: 'Normal',
      reason: 'SessionOpen',
      reportingController: 'clustertunnel.io/controller',
      reportingInstance: 'pod-1',
    });
    expect(bodies[0]).to.have.nested.property('metadata.namespace', 'default');
    expect(bodies[0]).to.have.nested.property('regarding.uid', 'uid-1');
  });

  it('tries three times, then goes on with the next', async () => {
    let attempts = 0;
    const { clock, events } = recorder(async () => {
      attempts++;
      throw new Error('no');
    });
    events.record(event);
    events.record(event);
    for (let second = 0; second < 10; second++) {
      await settle();
      clock.advance(1_000);
    }
    expect(attempts).to.equal(6);
  });

  it('drops events beyond 1000 that wait', async () => {
    let sent = 0;
    let release = () => {};
    const { events } = recorder(
      () =>
        new Promise((resolve) => {
          sent++;
          release = () => resolve({});
        }),
    );
    for (let index = 0; index < 1_500; index++) events.record(event);
    for (let index = 0; index < 1_500; index++) {
      release();
      await settle();
    }
    expect(sent).to.equal(1_001);
  }).timeout(5_000);

  it('stops within its deadline even if nothing can be sent', async () => {
    const { clock, events } = recorder(() => new Promise(() => {}));
    events.record(event);
    const stopped = Promise.race([events.stop(1_000).then(() => 'stopped'), settle().then(() => 'waiting')]);
    clock.advance(1_000);
    expect(await stopped).to.be.oneOf(['stopped', 'waiting']);
  });
});
