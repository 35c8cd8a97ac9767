import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { decodeAgentKeys, mintAgentToken } from '../../../crds/agent-token.ts';
import { keyFor, localToken, newKey, withKey } from '../../../operator/controller/credentials.ts';
import type { KubeClient } from '../../../operator/kube/client.ts';
import type { DataObject, ObjectAddress } from '../../../operator/kube/objects.ts';

const owner = { tunnel: 'prod', tunnelUid: 'uid-1', namespace: 'system' };
const signal = new AbortController().signal;

/** Secrets by "namespace/name"; only what localToken calls. */
function secrets() {
  const stored = new Map<string, DataObject>();
  const writes: string[] = [];
  const put = (address: ObjectAddress, body: unknown) => {
    const object = body as DataObject;
    const key = `${address.namespace}/${object.metadata.name}`;
    writes.push(key);
    stored.set(key, { ...object, metadata: { ...object.metadata, resourceVersion: String(writes.length) } });
    return Promise.resolve(object as never);
  };
  const client = {
    find: (_: unknown, { namespace, name }: ObjectAddress) =>
      Promise.resolve(stored.get(`${namespace}/${name}`) as never),
    create: (_: unknown, address: ObjectAddress, body: unknown) => put(address, body),
    replace: (_: unknown, address: ObjectAddress, body: unknown) => put(address, body),
  } as unknown as KubeClient;
  const hold = (token: string) =>
    stored.set('agents/clustertunnel-agent-prod', {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'clustertunnel-agent-prod' },
      data: { token: Buffer.from(token).toString('base64') },
    });
  const keys = () => decodeAgentKeys(stored.get('system/clustertunnel-keys-prod')?.data);
  return { client, stored, writes, hold, keys };
}

let seconds = 0;
const deps = (client: KubeClient, unplaced = new Map<string, string>()) => ({
  client,
  unplaced,
  now: () => new Date(Date.UTC(2026, 0, 1, 0, 0, seconds++)),
  mint: () => mintAgentToken(randomBytes),
});

describe('operator/controller/credentials', () => {
  it('mints a token for a new tunnel and stores its hash', async () => {
    const { client, keys } = secrets();
    const token = await localToken(deps(client), owner, 'agents', signal);
    expect(keyFor(token, keys())).to.include({ tunnel: 'prod', tunnelUid: 'uid-1' });
  });

  it('keeps a token that fits, and writes nothing', async () => {
    const { client, writes, hold } = secrets();
    const token = await localToken(deps(client), owner, 'agents', signal);
    hold(token);
    writes.length = 0;
    expect(await localToken(deps(client), owner, 'agents', signal)).to.equal(token);
    expect(writes).to.deep.equal([]);
  });

  for (const damage of ['', 'garbage', mintAgentToken(randomBytes).token]) {
    it(`mints anew for a Secret that holds ${damage === '' ? 'nothing' : 'what fits no key'}`, async () => {
      const { client, hold, keys } = secrets();
      const first = await localToken(deps(client), owner, 'agents', signal);
      hold(damage);
      const second = await localToken(deps(client), owner, 'agents', signal);
      expect(second).not.to.equal(first);
      expect([first, second].every((token) => keyFor(token, keys()) !== undefined)).to.equal(true);
    });
  }

  it('offers the same token until the Secret holds it: the key of a running agent stays valid', async () => {
    const { client, stored, writes, hold, keys } = secrets();
    const unplaced = new Map<string, string>();
    const running = await localToken(deps(client, unplaced), owner, 'agents', signal);
    hold(running);
    await localToken(deps(client, unplaced), owner, 'agents', signal);
    stored.delete('agents/clustertunnel-agent-prod');
    const offered = await localToken(deps(client, unplaced), owner, 'agents', signal);
    writes.length = 0;
    for (let round = 0; round < 3; round++) {
      expect(await localToken(deps(client, unplaced), owner, 'agents', signal)).to.equal(offered);
    }
    expect(writes).to.deep.equal([]);
    expect(keyFor(running, keys()), 'the key of the running agent').not.to.equal(undefined);
    hold(offered);
    await localToken(deps(client, unplaced), owner, 'agents', signal);
    expect(unplaced.size).to.equal(0);
  });

  it('mints anew when the keys of a waiting token are gone', async () => {
    const { client, stored } = secrets();
    const unplaced = new Map<string, string>();
    const first = await localToken(deps(client, unplaced), owner, 'agents', signal);
    stored.delete('system/clustertunnel-keys-prod');
    expect(await localToken(deps(client, unplaced), owner, 'agents', signal)).not.to.equal(first);
  });

  it('does not take the token of a deleted namesake', async () => {
    const { client, hold } = secrets();
    const token = await localToken(deps(client), owner, 'agents', signal);
    hold(token);
    expect(await localToken(deps(client), { ...owner, tunnelUid: 'uid-2' }, 'agents', signal)).not.to.equal(token);
  });

  it('never keeps more than two keys', () => {
    const key = () => newKey(owner, mintAgentToken(randomBytes), new Date());
    const [a, b, c] = [key(), key(), key()];
    expect(withKey([a, b], c)).to.deep.equal([b, c]);
  });
});
