import { advance, CIRCUIT_EVENTS, CIRCUIT_STATES } from '../../../../operator/gateway/admission/circuit-state.ts';
import { describeStateTable } from '../../../support/state-table.ts';

describe('operator/gateway/admission/circuit-state', () => {
  describeStateTable({
    states: CIRCUIT_STATES,
    events: CIRCUIT_EVENTS,
    initial: 'closed',
    terminal: [],
    advance,
  });
});
