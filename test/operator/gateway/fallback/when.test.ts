import { expect } from 'chai';
import { mayGoDirectly } from '../../../../operator/gateway/fallback/when.ts';
import { FAULT_KINDS } from '../../../../operator/gateway/front/fault.ts';

describe('operator/gateway/fallback/when', () => {
  const KINDS = ['cluster_reconnecting', 'cluster_offline', 'watch_held', 'circuit_open', 'circuit_open_watch'];

  it('lets go what the tunnel cannot carry, and nothing that a limit, a rule or a target stopped', () => {
    const going = FAULT_KINDS.filter((kind) => mayGoDirectly({ kind, mayHaveRun: false }));
    expect([...going].sort()).to.deep.equal([...KINDS].sort());
  });

  it('lets nothing go that may have run', () => {
    expect(FAULT_KINDS.filter((kind) => mayGoDirectly({ kind, mayHaveRun: true }))).to.deep.equal([]);
  });
});
