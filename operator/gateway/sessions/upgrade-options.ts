import type { Duplex } from 'node:stream';
import type { Clock } from '../../../process/clock.ts';
import type { Trace } from '../../../process/trace.ts';
import type { TunnelError } from '../front/tunnel-error.ts';
import type { ExchangeOutcome } from './exchange-options.ts';
import type { Sent } from './stream-fault.ts';

export interface UpgradeOptions {
  /** The client's connection, which nobody reads yet. */
  readonly socket: Duplex;
  readonly method: string;
  /** websocket or SPDY/3.1. */
  readonly protocol: string;
  readonly sent: Sent;
  readonly trace: Trace;
  readonly clock: Clock;
  /** Nothing was sent to the client yet: answer with this. */
  readonly onError: (error: TunnelError) => void;
  /** Once: how it ended, for the audit line. */
  readonly onDone: (outcome: ExchangeOutcome) => void;
}
