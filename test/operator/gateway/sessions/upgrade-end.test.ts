import { Duplex } from 'node:stream';
import { expect } from 'chai';
import { Upgrade } from '../../../../operator/gateway/sessions/upgrade.ts';
import { newTrace } from '../../../../process/trace.ts';
import type { Stream, StreamEvents } from '../../../../tunnel/session/stream.ts';
import type { RawHeaders } from '../../../../tunnel/wire/head.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { turns } from '../../../support/turns.ts';

const MEBIBYTE = 1024 * 1024;

/** A client that takes nothing, and an agent that has said all it had to say: what ends such a connection? */
describe('operator/gateway/sessions/upgrade: a client that does not take the end', () => {
  let clock: ManualClock;
  let socket: Duplex;
  let events: StreamEvents;
  let told: string[];
  beforeEach(() => {
    clock = new ManualClock();
    told = [];
    socket = new Duplex({ read: () => {}, write: () => {} });
    const upgrade = new Upgrade({
      socket,
      method: 'GET',
      protocol: 'websocket',
      sent: { tunnel: 'c1', path: '/', isRead: false },
      trace: newTrace(),
      clock,
      onError: () => told.push('error'),
      onDone: ({ error }) => told.push(`done ${String(error ?? 'whole')}`),
    });
    const stream = {
      attach: (given: StreamEvents) => {
        events = given;
      },
      end: () => told.push('ended'),
      reset: () => told.push('reset'),
      consume: () => {},
      write: () => true,
    };
    upgrade.start(stream as unknown as Stream, undefined);
  });
  const answer = (status: number, headers: RawHeaders, bytes: number) => {
    events.onHead?.({ status, headers });
    events.onData(new Uint8Array(bytes));
    events.onEnd([]);
  };

  it('has the time that a slow link needs for the last bytes', () => {
    answer(101, ['Upgrade', 'websocket'], 4 * MEBIBYTE);
    clock.advance(300_000);
    expect([socket.destroyed, told]).to.deep.equal([false, []]);
    clock.advance(60_000);
    expect([socket.destroyed, told]).to.deep.equal([true, ['reset', 'done the client did not end its half']]);
  });

  it('is cut when both have said their last word', async () => {
    events.onHead?.({ status: 101, headers: ['Upgrade', 'websocket'] });
    socket.push(null);
    await turns(2);
    events.onData(new Uint8Array(10));
    events.onEnd([]);
    expect(told).to.deep.equal(['ended', 'done whole']);
    clock.advance(61_000);
    await turns(2);
    expect([socket.destroyed, clock.pending]).to.deep.equal([true, 0]);
  });

  it('is cut when it was the last to say it', async () => {
    answer(101, ['Upgrade', 'websocket'], 10);
    socket.push(null);
    await turns(2);
    expect(told).to.deep.equal(['ended', 'done whole']);
    clock.advance(61_000);
    await turns(2);
    expect([socket.destroyed, clock.pending]).to.deep.equal([true, 0]);
  });

  it('is cut when the answer was no 101', async () => {
    answer(403, ['Content-Length', '10'], 10);
    expect(told).to.deep.equal(['ended', 'done whole']);
    clock.advance(61_000);
    await turns(2);
    expect([socket.destroyed, clock.pending]).to.deep.equal([true, 0]);
  });
});
