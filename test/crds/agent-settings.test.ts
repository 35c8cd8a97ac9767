import { expect } from 'chai';
import { agentSettings, parseAgentSettings } from '../../crds/agent-settings.ts';
import { validateSpec } from '../../crds/validate.ts';
import { MAX_CONTROL_BYTES } from '../../tunnel/wire/limits.ts';

function defaults() {
  const checked = validateSpec({});
  if ('errors' in checked) throw new Error(checked.errors.join());
  return agentSettings(checked.spec, { uid: 'uid-1', generation: 7 });
}

describe('crds/agent-settings', () => {
  it('says the spec in bytes and milliseconds', () => {
    expect(defaults()).to.deep.equal({
      tunnelUid: 'uid-1',
      generation: 7,
      access: {
        mode: 'Impersonate',
        readOnly: false,
        userPrefix: '',
        groupPrefix: '',
        users: [],
        groups: [],
        extras: [],
      },
      limits: {
        maxConcurrentRequests: 64,
        maxLongRunningRequests: 1_000,
        maxStreamsPerSession: 2_000,
        maxStreamBufferBytes: 4 * 2 ** 20,
        maxBufferBytes: 32 * 2 ** 20,
      },
      timeouts: {
        connectMs: 10_000,
        upstreamHeadersMs: 30_000,
        requestMs: 120_000,
        backpressureMs: 10_000,
        controlWriteMs: 5_000,
        dataWriteMs: 30_000,
        disconnectGraceMs: 10_000,
        drainMs: 30_000,
      },
      reconnect: { minBackoffMs: 1_000, maxBackoffMs: 30_000 },
      compression: { mode: 'Auto', minBytes: 64 * 2 ** 10 },
      health: { intervalMs: 10_000 },
    });
  });

  it('comes out of JSON as it went in', () => {
    expect(parseAgentSettings(JSON.parse(JSON.stringify(defaults())))).to.deep.equal(defaults());
  });

  it('ignores fields of a newer version', () => {
    const { limits, ...rest } = defaults();
    const newer = { ...rest, limits: { ...limits, maxQueued: 3 }, breaker: {} };
    expect(parseAgentSettings(newer)).to.deep.equal(defaults());
  });

  it('takes the defaults of compression from a gateway that does not know it', () => {
    const { compression: _, ...older } = defaults();
    expect(parseAgentSettings(older)).to.deep.equal(defaults());
  });

  it('takes the limits that were none of the spec as they were, from a gateway that does not name them', () => {
    const { maxLongRunningRequests: _, maxStreamsPerSession: __, ...limits } = defaults().limits;
    expect(parseAgentSettings({ ...defaults(), limits })).to.deep.equal(defaults());
    for (const broken of [{ maxLongRunningRequests: 'many' }, { maxStreamsPerSession: null }]) {
      const document = { ...defaults(), limits: { ...limits, ...broken } };
      expect(() => parseAgentSettings(document)).to.throw(TypeError, `limits.${Object.keys(broken)[0]} must be`);
    }
  });

  it('takes a mode of compression that it does not know for Off', () => {
    const newer = { ...defaults(), compression: { mode: 'Always', minBytes: 1 } };
    expect(parseAgentSettings(newer).compression).to.deep.equal({ mode: 'Off', minBytes: 1 });
  });

  it('refuses compression without its bound', () => {
    const document = { ...defaults(), compression: { mode: 'Auto' } };
    expect(() => parseAgentSettings(document)).to.throw(TypeError, 'compression.minBytes must be a number');
  });

  it('fits into one control frame, however long the names are', () => {
    const names = (letter: string) => Array.from({ length: 20 }, () => letter.repeat(63));
    const extras = names('e').slice(0, 10);
    const impersonate = { users: names('u'), groups: names('g'), extras };
    const checked = validateSpec({ access: { userPrefix: 'p'.repeat(64), groupPrefix: 'p'.repeat(64), impersonate } });
    if ('errors' in checked) throw new Error(checked.errors.join());
    const settings = agentSettings(checked.spec, { uid: 'u'.repeat(36), generation: 2 ** 53 });
    expect(JSON.stringify(settings).length).to.be.below(MAX_CONTROL_BYTES);
  });

  it('takes the default of access from a gateway that does not know it', () => {
    const { access: _, ...older } = defaults();
    expect(parseAgentSettings(older)).to.deep.equal(defaults());
  });

  it('takes what it does not know of access for the stricter', () => {
    const { access } = parseAgentSettings({ ...defaults(), access: { mode: 'Root', readOnly: 'no', userPrefix: 'a' } });
    expect(access).to.deep.equal({
      mode: 'Impersonate',
      readOnly: true,
      userPrefix: 'a',
      groupPrefix: '',
      users: [],
      groups: [],
      extras: [],
    });
    for (const broken of [
      null,
      'Agent',
      { userPrefix: 1 },
      { groupPrefix: null },
      { users: 'jane' },
      { groups: [1] },
      { extras: 'scopes' },
      { extras: null },
    ]) {
      expect(() => parseAgentSettings({ ...defaults(), access: broken })).to.throw(TypeError, 'access');
    }
  });

  it('names the field that is missing', () => {
    const { connectMs: _, ...timeouts } = defaults().timeouts;
    expect(() => parseAgentSettings({ ...defaults(), timeouts })).to.throw('timeouts.connectMs must be a number');
  });

  for (const document of [undefined, null, 3, [], {}, { generation: 'x' }, { generation: -1 }]) {
    it(`refuses ${JSON.stringify(document)}`, () => {
      expect(() => parseAgentSettings(document)).to.throw(TypeError, 'generation');
    });
  }
});
