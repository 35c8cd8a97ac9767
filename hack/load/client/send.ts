import type { Writable } from 'node:stream';
import { pause } from '../../lab/pause.ts';
import type { Call } from './call.ts';

/** Sends the body part by part, and ends it. Never rejects: what goes wrong the request says itself. */
export async function send({ parts, pauseMs }: Call, outgoing: Writable): Promise<void> {
  for (const [at, part] of parts.entries()) {
    if (at > 0) await pause(pauseMs);
    if (outgoing.destroyed) return;
    outgoing.write(part);
  }
  outgoing.end();
}
