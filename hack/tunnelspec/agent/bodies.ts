import { within } from '../expect.ts';
import { creditOf } from '../gateway/bodies.ts';
import { data } from '../gateway/words.ts';
import type { RawPeer } from '../peer.ts';
import { BODY_BEGINS } from './lab.ts';
import type { Asked } from './upstream.ts';

const MAX_DATA_BYTES = 64 * 1024;
const SOON_MS = 3_000;

/** So many bytes that count themselves, four at a time: a part that is missing or out of place shows. */
export function counted(bytes: number): Buffer {
  const body = Buffer.alloc(bytes);
  for (let at = 0; at + 4 <= bytes; at += 4) body.writeUInt32BE(at, at);
  return body;
}

/** Sends the rest of a body that `post` began as fast as the agent gives credit, and ends it. */
export async function upload(peer: RawPeer, id: number, rest: Buffer): Promise<void> {
  for (let sent = 0; sent < rest.length; ) {
    const credit = await peer.until(`credit for stream ${id}`, () =>
      beyond(creditOf(peer, id) - BODY_BEGINS.length, sent),
    );
    const chunk = rest.subarray(sent, Math.min(credit, sent + MAX_DATA_BYTES));
    sent += chunk.length;
    peer.send(data(id, chunk, { isEnd: sent === rest.length }));
  }
}

/** The whole body of a request at the upstream. Rejects when it is cut, or does not end soon. */
export function received({ request }: Asked): Promise<Buffer> {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  const body = new Promise<Buffer>((resolve, reject) => {
    request.once('end', () => resolve(Buffer.concat(chunks)));
    request.once('close', () => reject(new Error('expected the body of the request to end, it was cut')));
  });
  const whole = within('the body of the request to end', SOON_MS, body);
  // A case that fails before it looks has its own error to tell.
  whole.catch(() => {});
  return whole;
}

function beyond(credit: number, sent: number): number | undefined {
  return credit > sent ? credit : undefined;
}
