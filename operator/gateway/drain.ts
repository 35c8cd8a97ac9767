import { type Clock, pause } from '../../process/clock.ts';
import type { Admission } from './admission/admit.ts';
import type { Handler } from './front/handler.ts';
import type { LongStreams } from './front/long-streams.ts';
import type { GatewayServer } from './front/server.ts';
import type { Hub } from './sessions/hub.ts';
import { WATCH_ENDS_WITHIN_MS } from './sessions/watch-end.ts';

/** How often a draining gateway looks whether everything has finished. */
const POLL_MS = 50;

/** What has to end. */
interface Leaving {
  readonly server: GatewayServer;
  readonly handler: Handler;
  readonly admission: Admission;
  readonly longStreams: LongStreams;
  readonly hub: Hub;
  readonly clock: Clock;
}

/** Who comes is told to go elsewhere; what runs has until the signal aborts. */
export async function drain({ server, handler, admission, longStreams, hub, clock }: Leaving, signal: AbortSignal) {
  /** Resolves when no request runs, or when it is enough. */
  const idle = async (isEnough: () => boolean) => {
    while (!isEnough() && handler.active > 0) {
      await pause(clock, POLL_MS);
    }
  };
  server.drain();
  handler.drain();
  admission.drain();
  longStreams.drain();
  hub.drain();
  await idle(() => signal.aborted);
  hub.close();
  // Watches end cleanly now, spread over a moment; a reset would make every informer list again.
  const endMs = clock.nowMs() + WATCH_ENDS_WITHIN_MS + POLL_MS;
  await idle(() => clock.nowMs() >= endMs);
  await server.close();
}
