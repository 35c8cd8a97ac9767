import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { decodeAgentKeys, mintAgentToken } from '../../../../crds/agent-token.ts';
import {
  agentToken,
  confirmPlaced,
  keyFor,
  newKey,
  tokenIn,
  withKey,
} from '../../../../operator/controller/keys/credentials.ts';
import type { KubeClient } from '../../../../operator/kube/client.ts';
import type { DataObject, ObjectAddress } from '../../../../operator/kube/objects.ts';

const owner = { tunnel: 'prod', tunnelUid: 'uid-1', namespace: 'system' };
const signal = new AbortController().signal;
const KEYS = 'system/clustertunnel-keys-prod';

/** The hub's Secrets by "namespace/name"; only what credentials call. */
class FakeHub {
  readonly stored = new Map<string, DataObject>();
  readonly writes: string[] = [];
  readonly client = {
    find: (_: unknown, { namespace, name }: ObjectAddress) => Promise.resolve(this.stored.get(`${namespace}/${name}`)),
    create: (_: unknown, address: ObjectAddress, body: unknown) => this.#put(address, body),
    replace: (_: unknown, address: ObjectAddress, body: unknown) => this.#put(address, body),
  } as unknown as KubeClient;

  keys() {
    return decodeAgentKeys(this.stored.get(KEYS)?.data);
  }

  #put({ namespace }: ObjectAddress, body: unknown) {
    const object = body as DataObject;
    const key = `${namespace}/${object.metadata.name}`;
    this.writes.push(key);
    const written = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.writes.length) } };
    this.stored.set(key, written);
    return Promise.resolve(written);
  }
}

/** One operator process; another one at the same hub is a restart. */
class Operator {
  static #seconds = 0;
  readonly unplaced = new Map<string, string>();
  readonly #hub: FakeHub;

  constructor(hub: FakeHub) {
    this.#hub = hub;
  }

  /** Decides on the token for an agent's Secret that holds `held`. */
  issue(held?: string, who = owner) {
    const deps = {
      hub: this.#hub.client,
      unplaced: this.unplaced,
      now: () => new Date(Date.UTC(2026, 0, 1, 0, 0, Operator.#seconds++)),
      mint: () => mintAgentToken(randomBytes),
    };
    return agentToken(deps, who, held, signal);
  }

  /** The agent's Secret was written. */
  async place(held?: string): Promise<string> {
    const issued = await this.issue(held);
    await confirmPlaced({ hub: this.#hub.client, unplaced: this.unplaced }, owner, issued, signal);
    return issued.token;
  }
}

describe('operator/controller/keys/credentials', () => {
  let hub: FakeHub;
  let operator: Operator;
  beforeEach(() => {
    hub = new FakeHub();
    operator = new Operator(hub);
  });

  it('mints a token for a new tunnel and stores its hash', async () => {
    const { token } = await operator.issue();
    expect(keyFor(token, hub.keys())).to.include({ tunnel: 'prod', tunnelUid: 'uid-1' });
  });

  it('keeps a token that fits, and writes nothing', async () => {
    const token = await operator.place();
    hub.writes.length = 0;
    expect(await operator.place(token)).to.equal(token);
    expect(hub.writes).to.deep.equal([]);
  });

  for (const damage of [undefined, 'garbage', mintAgentToken(randomBytes).token]) {
    it(`mints anew for a Secret that holds ${damage === undefined ? 'nothing' : 'what fits no key'}`, async () => {
      const first = await operator.place();
      const second = await operator.place(damage);
      expect(second).not.to.equal(first);
      expect([first, second].every((token) => keyFor(token, hub.keys()) !== undefined)).to.equal(true);
    });
  }

  it('offers the same token until the Secret holds it: the key of a running agent stays valid', async () => {
    const running = await operator.place();
    const { token: offered } = await operator.issue();
    hub.writes.length = 0;
    for (let round = 0; round < 3; round++) expect((await operator.issue()).token).to.equal(offered);
    expect(hub.writes).to.deep.equal([]);
    expect(keyFor(running, hub.keys()), 'the key of the running agent').not.to.equal(undefined);
    await operator.place(offered);
    expect(operator.unplaced.size).to.equal(0);
  });

  it('does not push out the key of a running agent, however often it restarts between minting and placing', async () => {
    const running = await operator.place();
    for (let restart = 0; restart < 3; restart++) {
      const { token } = await new Operator(hub).issue();
      expect(keyFor(token, hub.keys()), 'the new key').not.to.equal(undefined);
      expect(keyFor(running, hub.keys()), 'the key of the running agent').not.to.equal(undefined);
      expect(hub.keys().length).to.equal(2);
    }
  });

  it('finds what it placed before a restart, and then keeps it like any other', async () => {
    const { token: first } = await operator.issue();
    // The Secret was written, the process ended before it could note that.
    await new Operator(hub).place(first);
    const second = await new Operator(hub).place();
    expect([first, second].every((token) => keyFor(token, hub.keys()) !== undefined)).to.equal(true);
  });

  it('mints anew when the keys of a waiting token are gone', async () => {
    const { token } = await operator.issue();
    hub.stored.delete(KEYS);
    expect((await operator.issue()).token).not.to.equal(token);
  });

  it('does not take the token of a deleted namesake', async () => {
    const token = await operator.place();
    expect((await operator.issue(token, { ...owner, tunnelUid: 'uid-2' })).token).not.to.equal(token);
  });

  it('reads the token of an agent’s Secret', () => {
    const secret = (data: Record<string, string>) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'a' },
      data,
    });
    expect(tokenIn(secret({ token: Buffer.from('ct1.x').toString('base64') }))).to.equal('ct1.x');
    expect(tokenIn(secret({}))).to.equal(undefined);
    expect(tokenIn(undefined)).to.equal(undefined);
  });

  it('never keeps more than two keys', () => {
    const key = () => newKey(owner, mintAgentToken(randomBytes), new Date());
    const [a, b, c] = [key(), key(), key()];
    expect(withKey([a, b], c)).to.deep.equal([b, c]);
  });
});
