import type { Http2Session } from 'node:http2';
import type { Clock } from '../../../process/clock.ts';

export interface IdleLimits {
  readonly clock: Clock;
  /** Until the client's first SETTINGS. */
  readonly beginMs: number;
  /** Without a stream. */
  readonly idleMs: number;
}

/** Ends an HTTP/2 connection that does not begin, or asks for nothing: Node has timers for HTTP/1.1 only. */
export function limitIdleness(session: Http2Session, { clock, beginMs, idleMs }: IdleLimits): void {
  let streams = 0;
  let cancel = clock.after(beginMs, () => session.destroy());
  const rest = () => {
    cancel();
    if (streams === 0 && !session.destroyed) cancel = clock.after(idleMs, () => session.close());
  };
  session.once('remoteSettings', rest);
  session.on('stream', (stream) => {
    streams += 1;
    cancel();
    stream.once('close', () => {
      streams -= 1;
      rest();
    });
  });
  session.once('close', () => {
    streams = Number.POSITIVE_INFINITY;
    cancel();
  });
}
