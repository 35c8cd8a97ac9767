import type { Clock } from '../../../process/clock.ts';
import type { Logger } from '../../../process/log.ts';
import type { Trace } from '../../../process/trace.ts';
import type { StreamError } from '../../../tunnel/errors.ts';
import type { RequestStream } from '../../../tunnel/session/inflated-stream.ts';
import type { RawHeaders } from '../../../tunnel/wire/head.ts';
import type { Admission } from '../admission/admit.ts';
import type { Breaker } from '../admission/breaker.ts';
import type { Rates } from '../admission/rates.ts';
import type { Replays } from '../admission/replays.ts';
import type { Cache } from '../cache/cache.ts';
import type { Fallbacks } from '../fallback/fallbacks.ts';
import type { Ways } from '../health/ways.ts';
import type { GatewayMeter } from '../meter.ts';
import type { ExchangeOutcome } from '../sessions/exchange-options.ts';
import type { Sent } from '../sessions/stream-fault.ts';
import type { Unsettled, UntilKnown } from '../sessions/unsettled.ts';
import type { Allowed } from './gate.ts';
import type { LongStreams } from './long-streams.ts';
import type { TunnelError } from './tunnel-error.ts';

export interface PassageParts {
  readonly admission: Admission;
  readonly rates: Rates;
  readonly unsettled: Unsettled;
  readonly replays: Replays;
  readonly breaker: Pick<Breaker, 'sent'>;
  readonly ways: Pick<Ways, 'sent'>;
  readonly cache: Pick<Cache, 'enter' | 'wrote'>;
  readonly fallbacks: Pick<Fallbacks, 'isUsable' | 'go'>;
  readonly longStreams: LongStreams;
  readonly meter: Pick<GatewayMeter, 'requestEnded'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A request that was let in. */
export interface Entered {
  readonly method: string;
  readonly trace: Trace;
  /** Of the client. */
  readonly address: string;
  /** When it came, before anybody looked at it. */
  readonly startedMs: number;
  readonly allowed: Allowed;
  /** Nothing was sent to the client yet: answer with this, which may name the tunnel. */
  readonly onError: (error: TunnelError) => void;
}

/** What of it goes to the agent. */
export interface Sending {
  readonly headers: RawHeaders;
  readonly isEnd: boolean;
  readonly isUpgrade: boolean;
}

/** An Exchange or an Upgrade. */
export interface Served {
  readonly isDone: boolean;
  /** `untilKnown`: whether the request ran may be known a moment after its session was lost; undefined: a read need not wait. */
  start(stream: RequestStream, untilKnown: UntilKnown | undefined, timeoutMs: number | undefined): void;
  refuse(error: TunnelError): void;
  revoke(error: TunnelError): void;
}

export interface Serving {
  readonly sent: Sent;
  readonly onDone: (outcome: ExchangeOutcome) => void;
  readonly again: (error: StreamError) => boolean;
}
