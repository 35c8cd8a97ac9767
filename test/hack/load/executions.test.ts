import { expect } from 'chai';
import { executionsFrom, faultsUnderPosts, type UpstreamLine } from '../../../hack/load/executions.ts';
import type { Fault } from '../../../hack/load/history.ts';

function began(key: string, beganMs: number, changes: { agent?: string; method?: string } = {}): UpstreamLine {
  const { agent = 'usual', method = 'POST' } = changes;
  const user = 'h1-usual-0';
  return {
    event: 'began',
    key,
    id: key,
    attempt: 1,
    tunnel: 'usual',
    agent,
    method,
    user,
    impersonates: user,
    requestBytes: 0,
    beganMs,
  };
}

function fault(kind: Fault['kind'], atMs: number, agent?: string): Fault {
  return { kind, atMs, agent, how: '' };
}

describe('hack/load/executions', () => {
  it('puts a request together from what was written as it happened', () => {
    const lines: UpstreamLine[] = [
      began('1', 10),
      began('2', 11),
      { event: 'body', key: '1', bytes: 5, isIntact: true },
      { event: 'ended', key: '1', atMs: 30, isWhole: true },
    ];
    const [first, second] = executionsFrom(lines, []);
    expect(first).to.include({ id: '1', beganMs: 10, endedMs: 30, isWhole: true });
    expect(first?.body).to.deep.equal({ bytes: 5, isIntact: true });
    expect(second).to.include({ id: '2', body: undefined, endedMs: undefined, isWhole: false });
  });

  it('ends what a killed upstream had begun when it was killed', () => {
    const executions = executionsFrom([began('1', 10), began('2', 30)], [fault('upstream', 20), fault('upstream', 40)]);
    expect(executions.map(({ endedMs }) => endedMs)).to.deep.equal([20, 40]);
  });

  it('counts the faults that hit a POST through their agent between its head and its answer', () => {
    const lines: UpstreamLine[] = [
      began('post', 10),
      { event: 'ended', key: 'post', atMs: 20, isWhole: true },
      began('get', 30, { method: 'GET' }),
      { event: 'ended', key: 'get', atMs: 40, isWhole: true },
    ];
    const executions = executionsFrom(lines, []);
    const hits = (...faults: Fault[]) => faultsUnderPosts(executions, faults).map(({ atMs }) => atMs);
    expect(hits(fault('cut', 9, 'usual'), fault('cut', 15, 'usual'), fault('cut', 21, 'usual'))).to.deep.equal([15]);
    expect(hits(fault('cut', 15, 'other')), 'of another agent').to.deep.equal([]);
    expect(hits(fault('gateway', 15)), 'of all').to.deep.equal([15]);
    expect(hits(fault('cut', 35, 'usual')), 'under a GET').to.deep.equal([]);
  });

  it('counts the kill of an upstream under its own POST', () => {
    const faults = [fault('upstream', 15), fault('cut', 16, 'usual')];
    const executions = executionsFrom([began('1', 10)], faults);
    expect(faultsUnderPosts(executions, faults)).to.deep.equal([faults[0]]);
  });
});
