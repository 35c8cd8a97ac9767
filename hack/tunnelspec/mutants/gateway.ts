import type { Mutant } from './mutant.ts';

/** One for each rule that a gateway keeps. */
export const GATEWAY_MUTANTS: readonly Mutant[] = [
  {
    rule: '1.7',
    end: 'gateway',
    patches: [
      { file: 'tunnel/session/websocket.ts', from: 'if (isBinary) return', to: 'if (isBinary || true) return' },
    ],
  },
];
