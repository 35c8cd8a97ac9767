import { expect } from 'chai';
import { type AbuseKind, ALLOWANCES } from '../../tunnel/flow/abuse.ts';
import { ErrorCode, FrameType } from '../../tunnel/wire/codes.ts';
import type { Frame } from '../../tunnel/wire/frame.ts';
import type { RequestHead } from '../../tunnel/wire/head.ts';
import {
  AgentEnd,
  expectNothingLeft,
  GatewayEnd,
  GET,
  greetedByStranger,
  HELLO,
  type Line,
  OK,
  Stranger,
} from './harness.ts';

const data = (streamId: number, text = 'x', isEnd = false): Frame => ({
  type: FrameType.Data,
  streamId,
  isEnd,
  data: Buffer.from(text),
});
const head = (streamId: number, status = 200, isEnd = false): Frame => ({
  type: FrameType.Head,
  streamId,
  isEnd,
  head: { ...OK, status },
});
const open = (streamId: number): Frame => ({ type: FrameType.Open, streamId, isEnd: false, head: GET });
const reason = { code: ErrorCode.Internal, detail: '' };

/** What a gateway does to an agent that breaks a rule. One stream, id 1, is open. */
const AGAINST_GATEWAY: readonly (readonly [sentence: string, frames: readonly Frame[], code: number])[] = [
  ['DATA for a stream that never was', [data(2)], ErrorCode.Protocol],
  ['WINDOW for a stream that never was', [{ type: FrameType.Window, streamId: 9, creditBytes: 1 }], ErrorCode.Protocol],
  ['RESET for a stream that never was', [{ type: FrameType.Reset, streamId: 9, ...reason }], ErrorCode.Protocol],
  ['OPEN, which only gateways send', [open(2)], ErrorCode.Protocol],
  ['CONFIG, which only gateways send', [{ type: FrameType.Config, document: {} }], ErrorCode.Protocol],
  ['WELCOME, which only gateways send', [{ type: FrameType.Welcome, document: {} }], ErrorCode.Protocol],
  ['a second HELLO', [{ type: FrameType.Hello, document: { ...HELLO } }], ErrorCode.Protocol],
  ['DATA after its end', [head(1), data(1, 'x', true), data(1)], ErrorCode.Protocol],
  ['an end after its end', [head(1, 200, true), data(1, '', true)], ErrorCode.Protocol],
  ['a head after its end', [head(1, 200, true), head(1)], ErrorCode.Protocol],
  [
    'trailers after its end',
    [head(1, 200, true), { type: FrameType.Trailers, streamId: 1, trailers: [] }],
    ErrorCode.Protocol,
  ],
  ['REFUSED after a head', [head(1), { type: FrameType.Refused, streamId: 1, ...reason }], ErrorCode.Protocol],
  ['a GOAWAY that is none', [{ type: FrameType.Goaway, document: {} }], ErrorCode.Protocol],
];

/** Answers that are none: each costs its own stream only, as a malformed message does in HTTP/2. Stream 1 asked for an upgrade. */
const MALFORMED: readonly (readonly [sentence: string, frames: readonly Frame[]])[] = [
  ['DATA before the head', [data(1)]],
  ['an end before the head', [data(1, '', true)]],
  ['trailers before the head', [{ type: FrameType.Trailers, streamId: 1, trailers: [] }]],
  ['DATA after a 1xx head', [head(1, 103), data(1)]],
  ['a 1xx head with END', [head(1, 103, true)]],
  ['a second final head', [head(1), head(1)]],
  ['a 1xx head after the final one', [head(1), head(1, 103)]],
  ['a head after the 101 of an upgrade', [head(1, 101), head(1)]],
];

/** What an agent does to a gateway that breaks a rule. Stream 3 was opened. */
const AGAINST_AGENT: readonly (readonly [sentence: string, frames: readonly Frame[], code: number])[] = [
  ['OPEN with the id of another stream', [open(3)], ErrorCode.Protocol],
  ['OPEN with a lower id than before', [open(2)], ErrorCode.Protocol],
  ['DATA for a stream that never was', [data(4)], ErrorCode.Protocol],
  ['HEAD, which only agents send', [head(3)], ErrorCode.Protocol],
  ['REFUSED, which only agents send', [{ type: FrameType.Refused, streamId: 3, ...reason }], ErrorCode.Protocol],
  ['SLOTS, which only agents send', [{ type: FrameType.Slots, slots: HELLO.slots }], ErrorCode.Protocol],
  ['HEALTH, which only agents send', [{ type: FrameType.Health, document: {} }], ErrorCode.Protocol],
  ['a second WELCOME', [{ type: FrameType.Welcome, document: {} }], ErrorCode.Protocol],
  ['DATA after its end', [data(3, 'x', true), data(3)], ErrorCode.Protocol],
];

/** What an agent may not send without end. Stream 1 is open. */
const FLOODS_AT_GATEWAY: readonly (readonly [kind: AbuseKind, frame: Frame])[] = [
  ['ping', { type: FrameType.Ping, token: 1 }],
  ['pong', { type: FrameType.Pong, token: 99 }],
  ['health', { type: FrameType.Health, document: {} }],
  ['smallWindow', { type: FrameType.Window, streamId: 1, creditBytes: 1 }],
  ['informational', head(1, 103)],
];

/** What a gateway may not send without end. Stream 3 is open. */
const FLOODS_AT_AGENT: readonly (readonly [kind: AbuseKind, frame: Frame])[] = [
  ['ping', { type: FrameType.Ping, token: 1 }],
  ['config', { type: FrameType.Config, document: {} }],
  ['emptyData', data(3, '')],
  ['smallWindow', { type: FrameType.Window, streamId: 3, creditBytes: 4_095 }],
];

/** A peer that breaks rules ends its session, and takes nothing with it. */
export function describeAbuse(pair: () => Promise<Line>): void {
  const besideGateway = async (request: Partial<RequestHead> = {}) => {
    const { line, gateway, stranger } = await greetedByStranger(pair);
    const owner = gateway.open(request);
    await line.settle();
    return { line, gateway, stranger, owner };
  };

  describe('misbehaving agent', () => {
    for (const [sentence, frames, code] of AGAINST_GATEWAY) {
      it(`ends the session over ${sentence}`, async () => {
        const { line, gateway, stranger, owner } = await besideGateway();
        stranger.say(...frames);
        await line.settle();
        expect(gateway.end.code).to.equal(code);
        expect(stranger.all(FrameType.Goaway)[0]?.document).to.include({ code });
        expect([owner.error.code, owner.closes]).to.deep.equal([ErrorCode.SessionLost, 1]);
        expectNothingLeft(gateway);
      });
    }

    for (const [sentence, frames] of MALFORMED) {
      it(`loses one stream, not the session, over ${sentence}`, async () => {
        const { line, gateway, stranger, owner } = await besideGateway({ isUpgrade: true });
        const other = gateway.open();
        stranger.say(...frames);
        await line.settle();
        expect(owner.error).to.include({ code: ErrorCode.UpstreamProtocol, execution: 'unknown', origin: 'local' });
        expect([owner.closes, other.closes, gateway.ends.length]).to.deep.equal([1, 0, 0]);
        expect(stranger.all(FrameType.Reset)).to.have.length(1);
      });
    }

    it('takes a 101 that nobody asked for as one more 1xx head', async () => {
      const { line, gateway, stranger, owner } = await besideGateway();
      stranger.say(head(1, 101), head(1, 200, true));
      await line.settle();
      expect(owner.heads.map(({ status }) => status)).to.deep.equal([101, 200]);
      expect([owner.ends, gateway.ends.length]).to.deep.equal([1, 0]);
    });

    it('ends the session over a frame before HELLO', async () => {
      const line = await pair();
      const gateway = new GatewayEnd(line.gateway);
      new Stranger(line.agent).say({ type: FrameType.Ping, token: 1 });
      await line.settle();
      expect(gateway.end.code).to.equal(ErrorCode.Protocol);
      expectNothingLeft(gateway);
    });

    it('ends the session over bytes that are no frames', async () => {
      const { line, gateway, stranger } = await besideGateway();
      stranger.sayBytes(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
      await line.settle();
      expect(gateway.end.code).to.equal(ErrorCode.Protocol);
      expectNothingLeft(gateway);
    });

    it('ignores what follows the broken rule in the same message', async () => {
      const { line, gateway, stranger } = await besideGateway();
      stranger.say(data(9), { type: FrameType.Health, document: {} }, data(9));
      await line.settle();
      expect([gateway.healths.length, gateway.ends.length]).to.deep.equal([0, 1]);
    });

    it('ignores frames of a stream that it closed: they were under way', async () => {
      const { line, gateway, stranger, owner } = await besideGateway();
      owner.stream.reset(ErrorCode.Cancel);
      stranger.say(
        head(1),
        data(1, 'late'),
        { type: FrameType.Window, streamId: 1, creditBytes: 1 },
        { type: FrameType.Reset, streamId: 1, ...reason },
        { type: FrameType.Refused, streamId: 1, ...reason },
      );
      await line.settle();
      expect([owner.heads.length, owner.bytes, gateway.ends.length]).to.deep.equal([0, 0, 0]);
    });

    it('ignores a PONG that nobody asked for', async () => {
      const { line, gateway, stranger } = await besideGateway();
      stranger.say({ type: FrameType.Pong, token: 77 });
      await line.settle();
      expect([gateway.ends.length, gateway.gateway.session.vitals.rttMs]).to.deep.equal([0, undefined]);
    });

    it('answers every PING of a peer that reads', async () => {
      const { line, gateway, stranger } = await besideGateway();
      const pings = Array.from({ length: 15 }, (_, token): Frame => ({ type: FrameType.Ping, token }));
      stranger.say(...pings);
      await line.settle();
      expect(stranger.all(FrameType.Pong).map(({ token }) => token)).to.deep.equal(pings.map((_, token) => token));
      expect(gateway.ends).to.have.length(0);
    });

    for (const [kind, frame] of FLOODS_AT_GATEWAY) {
      it(`ends with ABUSE, and nothing worse, over a flood of ${kind}`, async () => {
        const { line, gateway, stranger } = await besideGateway();
        const { burst } = ALLOWANCES[kind];
        stranger.flood(frame, burst - 2);
        await line.settle();
        expect(gateway.ends, 'a burst is no flood').to.have.length(0);
        stranger.flood(frame, 4);
        await line.settle();
        expect(gateway.end.code).to.equal(ErrorCode.Abuse);
        expectNothingLeft(gateway);
      });
    }

    it('ends the session over SLOTS that announces none', async () => {
      const { line, gateway, stranger } = await besideGateway();
      stranger.say({ type: FrameType.Slots, slots: { ordinary: 0, longRunning: 0 } });
      await line.settle();
      expect(gateway.end.code).to.equal(ErrorCode.Protocol);
    });

    it('ends the session over more free slots than any agent has', async () => {
      const { line, gateway, stranger } = await besideGateway();
      stranger.say({ type: FrameType.Slots, slots: { ordinary: 65_536, longRunning: 0 } });
      await line.settle();
      expect(gateway.end.code).to.equal(ErrorCode.Abuse);
      expectNothingLeft(gateway);
    });

    it('skips a frame type of a newer peer', async () => {
      const { line, gateway, owner, stranger } = await besideGateway();
      stranger.sayBytes(Buffer.from('000003' + 'c0' + '07' + '00000009' + '010203', 'hex'));
      stranger.say(head(1, 200, true));
      await line.settle();
      expect([gateway.ends.length, owner.ends]).to.deep.equal([0, 1]);
    });
  });

  describe('misbehaving gateway', () => {
    const besideAgent = async () => {
      const line = await pair();
      const agent = new AgentEnd(line.agent);
      const stranger = new Stranger(line.gateway);
      stranger.welcome();
      stranger.say(open(3));
      await line.settle();
      return { line, agent, stranger };
    };

    for (const [kind, frame] of FLOODS_AT_AGENT) {
      it(`ends with ABUSE, and nothing worse, over a flood of ${kind}`, async () => {
        const { line, agent, stranger } = await besideAgent();
        stranger.flood(frame, ALLOWANCES[kind].burst + 2);
        await line.settle();
        expect(agent.end.code).to.equal(ErrorCode.Abuse);
        expectNothingLeft(agent);
      });
    }

    it('ends with ABUSE over frames that may be skipped, when they do not end', async () => {
      const { line, agent, stranger } = await besideAgent();
      const skipped = Buffer.from(`000000${'ff'}00${'00000000'}`, 'hex');
      stranger.sayBytes(Buffer.concat(Array.from({ length: ALLOWANCES.unknownType.burst }, () => skipped)));
      await line.settle();
      expect(agent.ends).to.have.length(0);
      stranger.sayBytes(Buffer.concat([skipped, skipped]));
      await line.settle();
      expect(agent.end.code).to.equal(ErrorCode.Abuse);
    });

    for (const [sentence, frames, code] of AGAINST_AGENT) {
      it(`ends the session over ${sentence}`, async () => {
        const { line, agent, stranger } = await besideAgent();
        stranger.say(...frames);
        await line.settle();
        expect(agent.end.code).to.equal(code);
        expect(stranger.all(FrameType.Goaway)[0]?.document).to.include({ code });
        expectNothingLeft(agent);
      });
    }

    it('ends the session over HELLO instead of WELCOME', async () => {
      const line = await pair();
      const agent = new AgentEnd(line.agent);
      new Stranger(line.gateway).hello();
      await line.settle();
      expect(agent.end.code).to.equal(ErrorCode.Protocol);
      expectNothingLeft(agent);
    });
  });
}
