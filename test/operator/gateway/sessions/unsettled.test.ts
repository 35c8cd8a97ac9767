import { expect } from 'chai';
import fc from 'fast-check';
import type { AgentLink } from '../../../../operator/gateway/sessions/registry.ts';
import { UNSETTLED_MS, Unsettled } from '../../../../operator/gateway/sessions/unsettled.ts';
import type { Execution, StreamError } from '../../../../tunnel/errors.ts';
import { ErrorCode, FrameType } from '../../../../tunnel/wire/codes.ts';
import type { Previous } from '../../../../tunnel/wire/documents.ts';
import { AgentEnd, GatewayEnd, type Owner, Stranger } from '../../../conformance/harness.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { type TransportPair, transportPair } from '../../../support/transport-pair.ts';

/** A gateway's session, whoever the agent is. */
function linkOf(gateway: GatewayEnd, of: Partial<AgentLink> = {}): AgentLink {
  const session = gateway.gateway;
  const who = { tunnel: 'c1', tunnelUid: 'uid', instanceId: 'instance', connection: 0, agentVersion: '', keyId: '' };
  return { ...who, session, health: undefined, ...of };
}

describe('operator/gateway/sessions/unsettled', () => {
  let clock: ManualClock;
  let pair: TransportPair;
  let gateway: GatewayEnd;
  let agent: Stranger;
  let lost: AgentLink;
  let unsettled: Unsettled;
  /** What each request was told, by its stream's id. */
  let told: Map<number, StreamError>;
  beforeEach(async () => {
    clock = new ManualClock();
    pair = transportPair();
    gateway = new GatewayEnd(pair.left);
    agent = new Stranger(pair.right);
    agent.hello();
    await pair.settle();
    lost = linkOf(gateway);
    unsettled = new Unsettled(clock);
    told = new Map();
  });

  /** The connection breaks under requests, as many as `count`; `before` that is heard of some. */
  async function lose(
    count: number,
    { timeoutMs, before = () => {} }: { timeoutMs?: number; before?: () => void } = {},
  ) {
    const owners: Owner[] = [];
    for (let at = 0; at < count; at++) owners.push(gateway.open({ method: 'POST' }, true));
    await pair.settle();
    before();
    await pair.settle();
    pair.drop();
    return owners.map(({ stream, error }) => {
      const known = (settled: StreamError) => {
        expect(told.has(stream.id), 'told once').to.equal(false);
        told.set(stream.id, settled);
      };
      const cancel = unsettled.untilKnown(lost, timeoutMs)(error, known);
      if (cancel === undefined) known(error);
      return cancel;
    });
  }

  const verdicts = (): Execution[] => [...told].sort(([a], [b]) => a - b).map(([, error]) => error.execution);
  const previous = (lastStreamId: number, sessionId = 'session'): Previous => ({ sessionId, lastStreamId });
  const greet = (says: Previous | undefined, of: Partial<AgentLink> = {}) => unsettled.told({ ...lost, ...of }, says);

  function expectNobodyWaits(): void {
    expect([unsettled.size, clock.pending], 'waiting requests and timers').to.deep.equal([0, 0]);
  }

  it('calls the requests beyond the last one that the agent saw not executed, and those before unknown', async () => {
    await lose(3);
    expect([unsettled.size, told.size]).to.deep.equal([3, 0]);
    expect(greet(previous(1))).to.deep.equal({ notExecuted: 2, unknown: 1 });
    expect(verdicts()).to.deep.equal(['unknown', 'not-executed', 'not-executed']);
    expect(told.get(2)).to.include({ code: ErrorCode.SessionLost, origin: 'remote' });
    expect(told.get(2)?.detail).to.equal('the connection was cut; its agent never saw the request');
    expectNobodyWaits();
  });

  it('waits 5 s, and no longer than the request may take', async () => {
    await lose(1);
    await lose(0);
    clock.advance(UNSETTLED_MS - 1);
    expect(told.size).to.equal(0);
    clock.advance(1);
    expect(verdicts()).to.deep.equal(['unknown']);
    expect(greet(previous(0)), 'too late').to.deep.equal({ notExecuted: 0, unknown: 0 });
    expectNobodyWaits();
  });

  it('is bound by the deadline of the request', async () => {
    const wait = unsettled.untilKnown(lost, 1_000);
    clock.advance(400);
    const owner = gateway.open({ method: 'POST' }, true);
    await pair.settle();
    pair.drop();
    wait(owner.error, (error) => told.set(1, error));
    clock.advance(599);
    expect(told.size).to.equal(0);
    clock.advance(1);
    expect(verdicts()).to.deep.equal(['unknown']);
    expect(wait(owner.error, () => expect.fail('its time is over'))).to.equal(undefined);
    expectNobodyWaits();
  });

  const PROVES_NOTHING: readonly (readonly [what: string, says: Previous, of?: Partial<AgentLink>])[] = [
    ['of another process', previous(0), { instanceId: 'another' }],
    ['of a process with that id at another tunnel', previous(0), { tunnelUid: 'another' }],
    ['about another session, on another connection', previous(0, 'another'), { connection: 1 }],
  ];
  for (const [what, says, of] of PROVES_NOTHING) {
    it(`goes on waiting at the word ${what}`, async () => {
      await lose(2);
      expect(greet(says, of)).to.deep.equal({ notExecuted: 0, unknown: 0 });
      expect([unsettled.size, told.size]).to.deep.equal([2, 0]);
      clock.advance(UNSETTLED_MS);
      expect(verdicts()).to.deep.equal(['unknown', 'unknown']);
      expectNobodyWaits();
    });
  }

  for (const [what, says] of [
    ['nothing', undefined],
    ['of another session', previous(0, 'another')],
    ['of more requests than there were', previous(3)],
  ] as const) {
    it(`takes all for unknown when the connection is back and its agent speaks ${what}`, async () => {
      await lose(2);
      expect(greet(says)).to.deep.equal({ notExecuted: 0, unknown: 2 });
      expect(verdicts()).to.deep.equal(['unknown', 'unknown']);
      expectNobodyWaits();
    });
  }

  it('hears the agent on another of its connections', async () => {
    await lose(1);
    greet(previous(0), { connection: 1 });
    expect(verdicts()).to.deep.equal(['not-executed']);
    expectNobodyWaits();
  });

  it('believes the first word only', async () => {
    await lose(1);
    greet(previous(1));
    greet(previous(0));
    expect(verdicts()).to.deep.equal(['unknown']);
  });

  it('does not wait for a request that the agent spoke of, nor for those before it', async () => {
    await lose(3, { before: () => agent.say({ type: FrameType.Window, streamId: 2, creditBytes: 5_000 }) });
    expect([...told.keys()]).to.deep.equal([1, 2]);
    greet(previous(2));
    expect(verdicts()).to.deep.equal(['unknown', 'unknown', 'not-executed']);
    expectNobodyWaits();
  });

  it('believes nothing of an agent that denies what it spoke of', async () => {
    await lose(3, { before: () => agent.say({ type: FrameType.Window, streamId: 2, creditBytes: 5_000 }) });
    greet(previous(1));
    expect(verdicts()).to.deep.equal(['unknown', 'unknown', 'unknown']);
    expectNobodyWaits();
  });

  it('does not wait after a goodbye: nobody will speak of that session again', async () => {
    const document = { lastStreamId: 1, code: ErrorCode.Draining, reason: 'bye' };
    await lose(1, { before: () => agent.say({ type: FrameType.Goaway, document }) });
    expect(verdicts()).to.deep.equal(['unknown']);
    expectNobodyWaits();
  });

  it('does not wait for what was known already', async () => {
    const owner = gateway.open({ method: 'POST' }, true);
    pair.drop();
    expect(owner.error.execution).to.equal('not-executed');
    expect(unsettled.untilKnown(lost)(owner.error, () => expect.fail('known'))).to.equal(undefined);
  });

  it('forgets a request whose client goes away', async () => {
    const [first] = await lose(2);
    first?.();
    first?.();
    expect(unsettled.size).to.equal(1);
    greet(previous(0));
    expect([...told.keys()]).to.deep.equal([2]);
    expectNobodyWaits();
  });

  it('lets go of all when the gateway closes', async () => {
    await lose(3);
    unsettled.clear();
    expect(verdicts()).to.deep.equal(['unknown', 'unknown', 'unknown']);
    expectNobodyWaits();
  });

  it('holds 2,000 requests and no more', async () => {
    const owner = gateway.open({ method: 'POST' }, true);
    await pair.settle();
    pair.drop();
    const wait = () => unsettled.untilKnown(lost)(owner.error, () => {});
    for (let at = 0; at < 2_000; at++) expect(wait()).to.be.a('function');
    expect(wait()).to.equal(undefined);
    unsettled.clear();
    expectNobodyWaits();
  });

  it('property: wherever the connection is cut, nothing that the agent saw is ever called not executed', async () => {
    const step = fc.constantFrom('open', 'open', 'move', 'answer', 'credit', 'refuse', 'hold');
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.boolean(), async (steps, isSilent) => {
        const history = await cutAfter(steps, isSilent);
        for (const [id, execution] of history.verdicts) {
          if (history.seen.has(id)) expect(execution, `stream ${id}`).to.equal('unknown');
          else expect(execution, `stream ${id}, with an honest agent`).to.equal('not-executed');
        }
        expect(history.waiting).to.equal(0);
      }),
      { numRuns: 200 },
    );
  }).timeout(60_000);
});

type Step = 'open' | 'move' | 'answer' | 'credit' | 'refuse' | 'hold';

/** Real ends, a connection that is cut at some moment, and an honest agent that comes back. */
async function cutAfter(steps: readonly Step[], isSilent: boolean) {
  const pair = transportPair();
  const [gateway, agent] = [new GatewayEnd(pair.left), new AgentEnd(pair.right)];
  const seen = new Set<number>();
  agent.serve = ({ stream }) => seen.add(stream.id);
  await pair.settle();
  const owners: Owner[] = [];
  const acts: Readonly<Record<Step, () => unknown>> = {
    open: () => gateway.gateway.hasRoom('ordinary') && owners.push(gateway.open({ method: 'POST' })),
    move: () => pair.settle(),
    hold: () => pair.left.stall(),
    answer: () => agent.owners.at(-1)?.stream.sendHead({ status: 100, headers: [] }),
    credit: () => owners.at(-1)?.stream.write(Buffer.alloc(10_000)),
    refuse: () => agent.owners.at(-1)?.stream.refuse(ErrorCode.Overload, ''),
  };
  for (const each of steps) await acts[each]();
  if (isSilent) for (const { clock } of [gateway, agent]) clock.advance(30_000);
  pair.drop();
  const clock = new ManualClock();
  const unsettled = new Unsettled(clock);
  const lost = linkOf(gateway);
  const verdicts = new Map<number, Execution>();
  for (const { stream, errors } of owners) {
    const [error] = errors;
    // Answered, or refused, while the session lived.
    if (error === undefined || error.code !== ErrorCode.SessionLost) continue;
    const known = ({ execution }: StreamError) => verdicts.set(stream.id, execution);
    if (unsettled.untilKnown(lost)(error, known) === undefined) known(error);
  }
  unsettled.told(lost, agent.agent.previous);
  return { seen, verdicts, waiting: unsettled.size + clock.pending };
}
