import { expect } from 'chai';
import { EXTRAS } from '../../../tunnel/session/settings.ts';
import { ErrorCode, FrameType } from '../../../tunnel/wire/codes.ts';
import { AgentEnd, expectNothingLeft, GatewayEnd, GET, Stranger } from '../../conformance/harness.ts';
import { transportPair } from '../../support/transport-pair.ts';

const JANE = { user: 'jane', uid: '7', groups: ['dev'] };
const WITH_EXTRAS = { ...JANE, extras: [{ key: 'example.com/scopes', values: ['read', 'write'] }] };

describe('tunnel/session, the feature extras', () => {
  for (const [offers, identity] of [
    [[EXTRAS], WITH_EXTRAS],
    [[], JANE],
  ] as const) {
    it(`an agent that offers [${offers.join()}] hears ${JSON.stringify(identity)}`, async () => {
      const pair = transportPair();
      const [gateway, agent] = [new GatewayEnd(pair.left), new AgentEnd(pair.right, { hello: { features: offers } })];
      await pair.settle();
      expect(agent.readies[0]?.features).to.deep.equal(offers);
      gateway.open({ identity: WITH_EXTRAS });
      gateway.open({ identity: undefined });
      await pair.settle();
      expect(agent.heads.map((head) => head.identity)).to.deep.equal([identity, undefined]);
      agent.agent.session.close(ErrorCode.None, 'done');
      await pair.settle();
      expectNothingLeft(gateway, agent);
    });
  }

  for (const [what, offers, chosen] of [
    ['that was not chosen', [EXTRAS], []],
    ['that was chosen without an offer', [], [EXTRAS]],
  ] as const) {
    it(`an OPEN with extras by a feature ${what} ends the session with PROTOCOL, and nobody hears of it`, async () => {
      const pair = transportPair();
      const agent = new AgentEnd(pair.right, { hello: { features: offers } });
      const stranger = new Stranger(pair.left);
      const document = { version: 1, features: chosen, sessionId: 's', replicaId: 'r', gatewayVersion: '9' };
      const head = { ...GET, identity: WITH_EXTRAS };
      stranger.say({ type: FrameType.Welcome, document }, { type: FrameType.Open, streamId: 1, isEnd: true, head });
      await pair.settle();
      expect(agent.end.code).to.equal(ErrorCode.Protocol);
      expect(agent.heads).to.deep.equal([]);
      expectNothingLeft(agent);
    });
  }
});
