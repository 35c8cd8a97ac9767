import { expect } from 'chai';
import { type DeflatedBytes, Deflation } from '../../agent/deflation.ts';
import type { CompressionSettings } from '../../crds/agent-settings.ts';
import { Budget } from '../../tunnel/flow/budget.ts';
import { DEFLATER_BYTES } from '../../tunnel/session/deflated-body.ts';
import { ZlibStreams } from '../support/zlib-streams.ts';

const FACTS = {
  request: { method: 'GET', path: '/api/v1/pods', headers: [], isLongRunning: false, isUpgrade: false },
  answer: { status: 200, headers: ['Content-Type', 'application/json'] },
  isOffered: true,
  bytesPerSecond: 1_000_000,
};
const ROOMY_BYTES = 100 * DEFLATER_BYTES;

/** What an agent deflates into streams that take everything. */
function deflating(budget: Budget) {
  const ended: DeflatedBytes[] = [];
  let settings: CompressionSettings = { mode: 'Auto', minBytes: 1 };
  const deflation = new Deflation({ budget, settings: () => settings, onDeflated: (bytes) => ended.push(bytes) });
  const set = (next: CompressionSettings) => {
    settings = next;
  };
  const begin = (stream = { isClosed: false }) => {
    const taking = { ...stream, write: () => true, end: () => {}, reset: () => {} };
    return deflation.begin(taking, FACTS, { onDrain: () => {} });
  };
  return { deflation, ended, set, begin };
}

describe('agent/deflation', () => {
  let streams: ZlibStreams;

  beforeEach(() => {
    streams = new ZlibStreams();
  });
  afterEach(() => {
    streams.stop();
    expect(streams.open, 'zlib handles').to.deep.equal([]);
  });

  it('is of four answers at once, and of the next one when one of them is over', () => {
    const { deflation, ended, begin } = deflating(new Budget(ROOMY_BYTES));
    const bodies = Array.from({ length: 4 }, () => begin());
    expect(bodies.every((body) => body !== undefined)).to.equal(true);
    expect([deflation.running, begin()]).to.deep.equal([4, undefined]);
    bodies[0]?.close();
    bodies[0]?.close();
    expect([deflation.running, ended.length]).to.deep.equal([3, 1]);
    const next = begin();
    expect(next).to.not.equal(undefined);
    for (const body of [...bodies, next]) body?.close();
    expect([deflation.running, ended.length]).to.deep.equal([0, 5]);
  });

  it('is of no more than there is memory for', () => {
    const budget = new Budget(2 * DEFLATER_BYTES);
    const { deflation, begin } = deflating(budget);
    const first = begin();
    expect([begin(), deflation.running]).to.deep.equal([undefined, 1]);
    first?.close();
    expect(budget.usedBytes).to.equal(0);
  });

  it('is of nothing for a stream that is gone: nobody would end it', () => {
    const { deflation, begin } = deflating(new Budget(ROOMY_BYTES));
    expect([begin({ isClosed: true }), deflation.running]).to.deep.equal([undefined, 0]);
  });

  it('follows the settings as they are at each answer', () => {
    const { set, begin } = deflating(new Budget(ROOMY_BYTES));
    set({ mode: 'Off', minBytes: 1 });
    expect(begin()).to.equal(undefined);
    set({ mode: 'Auto', minBytes: 1 });
    const body = begin();
    expect(body).to.not.equal(undefined);
    body?.close();
  });
});
