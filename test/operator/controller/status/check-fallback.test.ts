import { expect } from 'chai';
import { conditions } from '../../../../operator/controller/status/conditions.ts';
import type { SessionFacts } from '../../../../operator/controller/status/observe.ts';
import { observation, specOf } from './observation.ts';

const { sessions } = observation();
const away: SessionFacts = { liveSessions: 0, gateways: 0, agents: [] };
const usable = { server: 'https://203.0.113.7:6443', refused: undefined, trouble: undefined };
const spec = specOf({ fallback: { kubeconfigSecretRef: { name: 'prod' } } });

const told = (facts: SessionFacts, type = 'FallbackReady', fallbackSpec = spec) => {
  const found = conditions(observation({ spec: fallbackSpec, sessions: facts })).find((each) => each.type === type);
  return found === undefined ? undefined : [found.status, found.reason];
};
const readyMessage = (facts: SessionFacts) =>
  conditions(observation({ spec, sessions: facts })).find(({ type }) => type === 'Ready')?.message;

describe('operator/controller/status/check-fallback', () => {
  it('says nothing of a tunnel that has none', () => {
    expect(told(away, 'FallbackReady', specOf())).to.equal(undefined);
  });

  it('waits for its tunnel to fail, and then says that requests go directly', () => {
    expect(told({ ...sessions, fallback: usable })).to.deep.equal(['True', 'Standby']);
    expect(told({ ...away, fallback: usable })).to.deep.equal(['True', 'RequestsGoDirectly']);
    expect(told({ ...sessions, circuit: { cause: 'x' }, fallback: usable })).to.deep.equal([
      'True',
      'RequestsGoDirectly',
    ]);
  });

  it('leaves the tunnel as it is: not connected, not ready, and Ready says where requests go', () => {
    const facts = { ...away, fallback: usable };
    expect(told(facts, 'Connected')).to.deep.equal(['False', 'NeverConnected']);
    expect(told(facts, 'Ready')).to.deep.equal(['False', 'NeverConnected']);
    expect(readyMessage(facts)).to.match(/Meanwhile requests go to the API server directly: see FallbackReady\.$/);
    expect(readyMessage(away)).to.not.contain('directly');
  });

  it('says that nothing gets there, and what is wrong with the Secret', () => {
    const facts = { ...away, fallback: { ...usable, trouble: 'connection refused' } };
    expect(told(facts)).to.deep.equal(['False', 'FallbackUnreachable']);
    expect(readyMessage(facts)).to.not.contain('directly');
    const refused = { reason: 'KubeconfigRefused', message: 'users[0].user.exec: no.' } as const;
    expect(told({ ...sessions, fallback: { ...usable, server: undefined, refused } })).to.deep.equal([
      'False',
      'KubeconfigRefused',
    ]);
  });

  it('is off while the tunnel is suspended, and unknown before the gateway runs', () => {
    const suspended = specOf({ suspend: true, fallback: { kubeconfigSecretRef: { name: 'prod' } } });
    expect(told({ ...away, fallback: usable }, 'FallbackReady', suspended)).to.deep.equal(['False', 'Suspended']);
    expect(told(away)).to.deep.equal(['Unknown', 'NotAttempted']);
  });
});
