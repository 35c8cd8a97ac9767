import { expect } from 'chai';
import { createClient } from '../../../operator/kube/client.ts';
import { UnreachableError } from '../../../operator/kube/errors.ts';
import { RESOURCES } from '../../../operator/kube/objects.ts';
import type { Transport } from '../../../operator/kube/transport.ts';

const signal = new AbortController().signal;
const address = { namespace: 'a', name: 'b' };

function rejectionOf(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => new Error('it was taken'),
    (error: Error) => error,
  );
}

/** A client of a server that gives everybody this answer. */
function clientOf(answer: unknown) {
  const transport: Transport = {
    server: 'https://strange.example',
    call: async () => answer,
    stream: async function* () {} as unknown as Transport['stream'],
    close: async () => {},
  };
  return createClient(transport);
}

describe('operator/kube/client', () => {
  const noObjects = [null, 'ok', 7, true, [], {}, { metadata: null }, { metadata: 'a' }, { metadata: [] }];
  for (const answer of noObjects) {
    it(`takes ${JSON.stringify(answer)} for no answer of an API server`, async () => {
      const client = clientOf(answer);
      const patch = { type: 'application/merge-patch+json', body: {} } as const;
      for (const call of [
        () => client.get(RESOURCES.secret, address, signal),
        () => client.find(RESOURCES.secret, address, signal),
        () => client.create(RESOURCES.secret, address, {}, signal),
        () => client.replace(RESOURCES.secret, address, {}, signal),
        () => client.patch(RESOURCES.secret, address, patch, signal),
        () => client.delete(RESOURCES.secret, address, signal),
        () => client.list(RESOURCES.secret, address, {}, signal),
      ]) {
        const error = await rejectionOf(call());
        expect(error).to.be.instanceOf(UnreachableError);
        expect((error.cause as Error).message).to.match(/no API server/);
      }
    });
  }

  for (const items of [undefined, {}, 'a', [null], ['a'], [{}], [{ metadata: {} }, { metadata: 7 }]]) {
    it(`takes a list of ${JSON.stringify(items)} for none`, async () => {
      const error = await rejectionOf(clientOf({ metadata: {}, items }).list(RESOURCES.secret, {}, {}, signal));
      expect(error).to.be.instanceOf(UnreachableError);
    });
  }

  it('takes objects and lists as they are', async () => {
    const object = { metadata: { name: 'a' }, data: {} };
    expect(await clientOf(object).get(RESOURCES.secret, address, signal)).to.equal(object);
    const list = { metadata: {}, items: [object] };
    expect(await clientOf(list).list(RESOURCES.secret, {}, {}, signal)).to.equal(list);
  });
});
