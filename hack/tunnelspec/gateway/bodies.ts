import { FrameType } from '../../../tunnel/wire/codes.ts';
import type { RawPeer } from '../peer.ts';
import { credit, data } from './words.ts';

/** What each half of a stream may send before any WINDOW. */
export const FIRST_CREDIT_BYTES = 16 * 1024;
/** Takers give credit back in pieces that no budget counts. */
const GIVE_BACK_BYTES = 8 * 1024;

/** Credit of an answer so far, in bytes: what it began with and every WINDOW. */
export function creditOf(peer: RawPeer, streamId: number): number {
  const windows = peer.all(FrameType.Window).filter((frame) => frame.streamId === streamId);
  return windows.reduce((sum, { creditBytes }) => sum + creditBytes, FIRST_CREDIT_BYTES);
}

/** Sends the body of an answer under the credit that comes, and ends it. */
export async function sendBody(
  peer: RawPeer,
  streamId: number,
  body: Uint8Array,
  { mostBytes = 16 * 1024 }: { readonly mostBytes?: number } = {},
): Promise<void> {
  for (let at = 0; at < body.length; ) {
    const sentBytes = at;
    const leftBytes = await peer.until(`credit beyond ${sentBytes} bytes`, () => {
      const bytes = creditOf(peer, streamId) - sentBytes;
      return bytes > 0 ? bytes : undefined;
    });
    const chunk = body.subarray(at, at + Math.min(leftBytes, mostBytes));
    at += chunk.length;
    peer.send(data(streamId, chunk, { isEnd: at === body.length }));
  }
}

/** Whether the client's half ended, with END or with trailers. */
export function hasEnded(peer: RawPeer, streamId: number): boolean {
  return peer.heard.some(
    (frame) =>
      (frame.type === FrameType.Data && frame.streamId === streamId && frame.isEnd) ||
      (frame.type === FrameType.Trailers && frame.streamId === streamId),
  );
}

/** The whole body of a request, for which credit is given as it comes. */
export async function takeBody(peer: RawPeer, streamId: number): Promise<Buffer> {
  for (let givenBytes = 0; ; ) {
    const before = givenBytes;
    const cameBytes = await peer.until(`more of a body than ${before} bytes`, () => {
      const bytes = peer.dataBytes(streamId);
      return hasEnded(peer, streamId) || bytes - before >= GIVE_BACK_BYTES ? bytes : undefined;
    });
    if (hasEnded(peer, streamId)) return peer.body(streamId);
    peer.send(credit(streamId, cameBytes - givenBytes));
    givenBytes = cameBytes;
  }
}
